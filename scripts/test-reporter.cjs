/**
 * Mocha reporter: the usual list for people; the sums, what failed and how long each file took as JSON in the file
 * TAILWIRE_TEST_SUMS for scripts/test.mjs. It also ends a run that leaves something running behind, which is a failure of its own.
 */
const { writeFileSync } = require('node:fs');
const { relative } = require('node:path');
const { reporters, Runner } = require('mocha');

/** How long the process may live after its last test, in ms. */
const END_MS = 15_000;
/** Longest report of one failure at the end, in characters: enough for the message and the first places. */
const FAILURE_CHARS = 2_000;

module.exports = class SumsReporter extends reporters.Spec {
  constructor(runner, options) {
    super(runner, options);
    const reports = [];
    runner.on(Runner.constants.EVENT_TEST_FAIL, (test, error) => {
      const text = String(error?.stack ?? error?.message ?? error);
      reports.push(`${test.titlePath().join(' > ')}\n${text.slice(0, FAILURE_CHARS)}`);
    });
    // Milliseconds by file, hooks included: a root suite has no file of its own.
    const files = {};
    const started = new Map();
    runner.on(Runner.constants.EVENT_SUITE_BEGIN, (suite) => started.set(suite, Date.now()));
    runner.on(Runner.constants.EVENT_SUITE_END, (suite) => {
      if (!suite.parent?.root || suite.file === undefined) return;
      const name = relative(process.cwd(), suite.file);
      files[name] = (files[name] ?? 0) + Date.now() - started.get(suite);
    });
    runner.once(Runner.constants.EVENT_RUN_END, () => {
      const { passes = 0, failures = 0, pending = 0 } = runner.stats ?? {};
      const write = (failed) =>
        writeFileSync(
          process.env.TAILWIRE_TEST_SUMS,
          JSON.stringify({ passed: passes, failed, skipped: pending, failures: reports, files }),
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
