import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { setFlagsFromString } from 'node:v8';
import { startServer } from '../support/server.ts';

const MODULE = new URL('../../server/core/fast-strings.ts', import.meta.url).href;
/** Text of an expression that only V8's own syntax can write. */
const IS_FAST = "new Function('return %HasFastProperties(String.prototype)')()";

describe('the speed of text', () => {
  it('comes back after a library has extended String', async () => {
    const program = `
      class Extended extends String {}
      const before = ${IS_FAST};
      const { restoreFastStrings } = await import('${MODULE}');
      restoreFastStrings();
      console.log(JSON.stringify([before, ${IS_FAST}]));`;
    const words = ['--allow-natives-syntax', '--import=tsx', '--input-type=module', '--eval', program];
    const { stdout } = await promisify(execFile)(process.execPath, words);
    assert.deepEqual(JSON.parse(stdout), [false, true]);
  });

  it('is there in a server, whatever it has imported', async () => {
    const server = await startServer({});
    try {
      setFlagsFromString('--allow-natives-syntax');
      assert.equal(new Function('return %HasFastProperties(String.prototype)')(), true);
    } finally {
      setFlagsFromString('--no-allow-natives-syntax');
      await server.stop();
    }
  });
});
