import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { LAB_TIMEOUT_MS } from '../support/lab.ts';
import { requirePart } from '../support/parts.ts';

/** Shows that every bench runs and says something; what it says is not judged, the machine may be busy. */
describe('npm run bench', () => {
  it('runs every bench with tiny numbers', async function () {
    this.timeout(LAB_TIMEOUT_MS);
    requirePart(this, 'lab');
    requirePart(this, 'redis-server');
    const main = fileURLToPath(new URL('../../scripts/bench/main.ts', import.meta.url));
    const child = spawn(process.execPath, ['--import=tsx', main, 'all', '--short'], {
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    let output = '';
    for (const stream of [child.stdout, child.stderr]) {
      stream.on('data', (chunk: Buffer) => {
        output += chunk.toString();
      });
    }
    const code = await new Promise((resolve) => child.once('close', resolve));
    assert.equal(code, 0, output);
    for (const title of [
      'Fan-out',
      'Catching up',
      'Latency',
      'Idle viewers',
      'One viewer',
      'All viewers',
      'Rooms',
      'Idle connections',
      'Parsing',
    ]) {
      assert.ok(output.includes(`\n## ${title}`), output);
    }
    for (const row of [
      'Tailwire, batches',
      'Socket.IO + redis-adapter',
      'ssh host journalctl',
      'one is stuck',
      'Tailwire, Nexus',
      '`ws`, bare',
    ]) {
      assert.ok(output.includes(row), output);
    }
    assert.doesNotMatch(output, /NaN|undefined/);
  });
});
