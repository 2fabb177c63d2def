import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { createLab, reap } from '../../scripts/lab/lab.ts';
import { run } from '../../scripts/lab/run.ts';
import { readRecord } from '../../scripts/lab/state.ts';
import { waitFor } from '../../scripts/lab/wait.ts';
import { LAB_TIMEOUT_MS } from '../support/lab.ts';
import { cgroupsOf, scriptArgs, tracesOf } from '../support/lab-traces.ts';
import { requirePart } from '../support/parts.ts';

const quiet = () => {};

describe('labs', function () {
  this.timeout(LAB_TIMEOUT_MS);

  before(function () {
    requirePart(this, 'lab');
  });

  it('stand beside each other, and leave nothing behind', async () => {
    const options = { hosts: 1, background: false, owned: true, log: quiet };
    const labs = await Promise.all([createLab(options), createLab({ ...options, hosts: 2 })]);
    const cgroups = labs.map((lab) => cgroupsOf(lab.slot));
    try {
      const hosts = labs.flatMap((lab) => lab.hosts);
      assert.equal(new Set(hosts.map((host) => host.address)).size, 3);
      const ids = await Promise.all(
        hosts.map(async (host) => (await host.exec(['cat', '/etc/machine-id'])).stdout),
      );
      assert.equal(new Set(ids).size, 3);
      await Promise.all(hosts.map((host) => host.log('execution', [`from ${host.address}`])));
      for (const host of hosts) assert.deepEqual(await host.printed('execution'), [`from ${host.address}`]);
      for (const [index, lab] of labs.entries()) {
        assert.ok(
          (await tracesOf(lab.slot, cgroups[index] ?? [])).length > 5,
          'what is looked for can be found',
        );
      }
    } finally {
      await Promise.all(labs.flatMap((lab) => [lab.down(), lab.down()]));
    }
    for (const [index, lab] of labs.entries())
      assert.deepEqual(await tracesOf(lab.slot, cgroups[index] ?? []), []);
  });

  it('have no way out of the machine', async () => {
    const lab = await createLab({ hosts: 1, background: false, owned: true, log: quiet });
    try {
      const [host] = lab.hosts;
      const routes = await host?.exec(['ip', 'route', 'show']);
      assert.doesNotMatch(routes?.stdout ?? '', /default/);
      const unused = `10.213.${lab.slot}.250`;
      await assert.rejects(run('ip', ['route', 'get', unused]), /Invalid argument/);
    } finally {
      await lab.down();
    }
  });

  for (const watched of [true, false]) {
    it(`go with a killed run, by ${watched ? 'its watchdog' : 'the next run'}`, async () => {
      const program = `
        import { createLab } from ${JSON.stringify(scriptArgs('lab/lab.ts')[1])};
        import { watchOver } from ${JSON.stringify(scriptArgs('lab/watchdog.ts')[1])};
        const lab = await createLab({ hosts: 1, background: false, owned: true, log() {} });
        if (${watched}) watchOver(lab.slot);
        console.log(lab.slot);
        setInterval(() => {}, 1000);`;
      const child = spawn(process.execPath, ['--import=tsx', '--input-type=module', '-e', program], {
        stdio: ['ignore', 'pipe', 'inherit'],
      });
      const slot = await new Promise<number>((resolve, reject) => {
        child.stdout.once('data', (chunk: Buffer) => resolve(Number(chunk.toString())));
        child.once('exit', (code) => reject(new Error(`the run ended with ${code}`)));
      });
      const cgroups = cgroupsOf(slot);
      assert.ok((await tracesOf(slot, cgroups)).length > 5);
      const gone = new Promise((resolve) => child.once('exit', resolve));
      child.kill('SIGKILL');
      await gone;
      if (!watched) await reap(quiet);
      await waitFor('its lab to be gone', async () => (await tracesOf(slot, cgroups)).length === 0, {
        timeoutMs: 30_000,
        everyMs: 200,
        describe: async () => (await tracesOf(slot, cgroups)).join('\n'),
      });
    });
  }

  it('are brought up, shown and taken down by hand', async () => {
    const cli = (...args: string[]) =>
      run(process.execPath, [...scriptArgs('lab/main.ts'), ...args], {
        timeoutMs: LAB_TIMEOUT_MS,
        allowFailure: true,
      });
    const up = await cli('up', '2');
    const slot = Number(/^Lab (\d+) /m.exec(up.stdout)?.[1]);
    assert.ok(Number.isInteger(slot), up.stdout + up.stderr);
    const cgroups = cgroupsOf(slot);
    try {
      const status = await cli('status');
      const own = status.stdout.slice(status.stdout.indexOf(`Lab ${slot} `));
      assert.match(own, /node1 {2}10\.213\.\d+\.\d+:22 {2}up {2}SHA256:/);
      assert.match(own, /node2 .* up /);
      assert.equal(readRecord(slot)?.owner, null);
      await reap(quiet);
      assert.ok((await tracesOf(slot, cgroups)).length > 5, 'no other run takes it down');
    } finally {
      assert.equal((await cli('down', '255')).code, 1);
      const down = await cli('down', String(slot));
      assert.equal(down.code, 0, down.stderr);
    }
    assert.deepEqual(await tracesOf(slot, cgroups), []);
    assert.equal((await cli('up', 'many')).code, 2);
  });
});
