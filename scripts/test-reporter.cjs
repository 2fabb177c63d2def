/**
 * Mocha reporter: the usual list for people, the sums as JSON in the file TAILWIRE_TEST_SUMS for scripts/test.mjs. It
 * also ends a run that leaves something running behind, which is a failure of its own.
 */
const { writeFileSync } = require('node:fs');
const { reporters, Runner } = require('mocha');

/** How long the process may live after its last test, in ms. */
const END_MS = 15_000;

module.exports = class SumsReporter extends reporters.Spec {
  constructor(runner, options) {
    super(runner, options);
    runner.once(Runner.constants.EVENT_RUN_END, () => {
      const { passes = 0, failures = 0, pending = 0 } = runner.stats ?? {};
      const write = (failed) =>
        writeFileSync(
          process.env.TAILWIRE_TEST_SUMS,
          JSON.stringify({ passed: passes, failed, skipped: pending }),
        );
      write(failures);
      setTimeout(() => {
        console.error(`Still running after the last test: ${process.getActiveResourcesInfo().join(', ')}`);
        write(failures + 1);
        process.exit(1);
      }, END_MS).unref();
    });
  }
};
