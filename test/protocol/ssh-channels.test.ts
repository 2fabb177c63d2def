import assert from 'node:assert/strict';
import { once } from 'node:events';
import type { RemoteProcess, SshPool } from '../../server/ssh/types.ts';
import { requirePart } from '../support/parts.ts';
import { codeOf, openFds, targetOf, testPool } from '../support/ssh.ts';
import { type Sshd, startSshd } from '../support/sshd.ts';
import { startStopwatch } from '../support/stopwatch.ts';
import { until } from '../support/until.ts';

const FOLLOW = ['tail', '-f', '-n', '1', '/etc/hostname'];
const MB = 1024 * 1024;

/** Waits for the first output of a process. */
async function firstOutput(process: RemoteProcess): Promise<void> {
  await once(process.stdout, 'readable');
}

function follows(sshd: Sshd): string[] {
  return sshd.commands().filter((line) => line.startsWith('tail -f'));
}

describe('SSH channels', () => {
  let sshd: Sshd;
  let pool: SshPool | undefined;

  before(async function () {
    requirePart(this, 'sshd');
    sshd = await startSshd({ config: ['MaxStartups 100'] });
  });
  after(() => sshd?.stop());
  afterEach(async () => {
    await pool?.stop();
    await until(() => sshd.commands().every((line) => !line.startsWith('sshd: watcher')));
  });

  function fresh(limits?: Parameters<typeof testPool>[0]): SshPool {
    pool = testPool(limits);
    return pool;
  }

  it('spreads 20 followers over 3 connections, 8 on each at most', async () => {
    const ssh = fresh();
    const processes = await Promise.all(Array.from({ length: 20 }, () => ssh.exec(targetOf(sshd), FOLLOW)));
    await Promise.all(processes.map(firstOutput));
    assert.deepEqual(ssh.stats(), { connections: 3, channels: 20 });
    assert.equal(follows(sshd).length, 20);
    await Promise.all(processes.map((process) => process.close()));
    assert.equal(ssh.stats().channels, 0);
    await until(() => follows(sshd).length === 0);
  });

  it('gives exit code, signal, both outputs, and the last 4 KiB of standard error', async () => {
    const ssh = fresh();
    const target = targetOf(sshd);
    assert.deepEqual(await ssh.run(target, ['sh', '-c', 'echo out; echo err >&2; exit 3']), {
      code: 3,
      signal: null,
      stdout: 'out\n',
      stderr: 'err\n',
    });
    assert.equal((await ssh.run(target, ['sh', '-c', 'kill -KILL $$'])).signal, 'SIGKILL');
    assert.equal((await ssh.run(target, ['no-such-program'])).code, 127);
    const { stderr } = await ssh.run(target, ['sh', '-c', 'yes | head -n 50000 >&2; printf end >&2']);
    assert.equal(stderr.length, 4096);
    assert.ok(stderr.endsWith('y\nend'));
  });

  it('settles the exit of a short process that nobody reads', async () => {
    const process = await fresh().exec(targetOf(sshd), ['sh', '-c', 'echo little; exit 7']);
    assert.equal((await process.exit).code, 7);
  });

  it('limits a run in time and size, and leaves nothing running', async () => {
    const ssh = fresh();
    const target = targetOf(sshd);
    assert.equal(await codeOf(ssh.run(target, FOLLOW, { timeoutMs: 200 })), 'ssh_connection_error');
    assert.equal(
      await codeOf(ssh.run(target, ['cat', '/dev/zero'], { maxBytes: MB })),
      'ssh_connection_error',
    );
    await until(() => follows(sshd).length === 0 && !sshd.commands().some((line) => line.startsWith('cat ')));
    assert.deepEqual(ssh.stats(), { connections: 1, channels: 0 });
  });

  for (const shell of ['/bin/bash', '/bin/dash']) {
    it(`leaves no shell beside the command: ${shell}`, async () => {
      const other = await startSshd({ shell });
      try {
        const process = await fresh().exec(targetOf(other), FOLLOW);
        await firstOutput(process);
        const commands = other.commands().filter((line) => !line.startsWith('sshd'));
        assert.deepEqual(commands, [FOLLOW.join(' ')]);
        await process.close();
        await until(() => follows(other).length === 0);
      } finally {
        await pool?.stop();
        await other.stop();
      }
    });
  }

  it('[LOG-5] ends the remote process by close(), by leaving the loop, and by stopping the pool', async () => {
    const ssh = fresh();
    const target = targetOf(sshd);
    const closed = await ssh.exec(target, FOLLOW);
    await Promise.all([closed.close(), closed.close()]);
    const exit = await closed.exit;
    assert.equal(exit.error, undefined);
    for await (const chunk of (await ssh.exec(target, FOLLOW)).stdout) {
      assert.ok(chunk.length > 0);
      break;
    }
    await until(() => ssh.stats().channels === 0 && follows(sshd).length === 0);
    const left = await ssh.exec(target, FOLLOW);
    await ssh.stop();
    assert.equal((await left.exit).error?.code, 'ssh_closed');
    assert.deepEqual(ssh.stats(), { connections: 0, channels: 0 });
    await until(() => follows(sshd).length === 0);
  });

  it('ends a reader cleanly where the process is closed under it', async () => {
    const process = await fresh().exec(targetOf(sshd), FOLLOW);
    let chunks = 0;
    for await (const _ of process.stdout) {
      chunks += 1;
      void process.close();
    }
    assert.equal(chunks, 1);
  });

  it('uses another connection where the host opens no more channels on one', async () => {
    const small = await startSshd({ config: ['MaxSessions 3'] });
    try {
      const ssh = fresh();
      const processes: RemoteProcess[] = [];
      for (let count = 0; count < 7; count += 1) processes.push(await ssh.exec(targetOf(small), FOLLOW));
      assert.deepEqual(ssh.stats(), { connections: 3, channels: 7 });
      await Promise.all(processes.map((process) => process.close()));
    } finally {
      await pool?.stop();
      await small.stop();
    }
  });

  it('closes an idle connection after its time, and not while it is used', async () => {
    const ssh = fresh({ limits: { idleMs: 50 } });
    const process = await ssh.exec(targetOf(sshd), FOLLOW);
    await ssh.run(targetOf(sshd), ['sleep', '0.1']);
    assert.deepEqual(ssh.stats(), { connections: 1, channels: 1 });
    await process.close();
    await until(() => ssh.stats().connections === 0);
    assert.equal((await ssh.run(targetOf(sshd), ['true'])).code, 0);
  });

  it('[R6] settles every process with ssh_closed when its sshd session is killed, and connects anew', async () => {
    const ssh = fresh();
    const processes = await Promise.all(Array.from({ length: 3 }, () => ssh.exec(targetOf(sshd), FOLLOW)));
    await Promise.all(processes.map(firstOutput));
    const took = startStopwatch();
    for (const pid of sshd.connectionPids()) process.kill(pid, 'SIGKILL');
    const exits = await Promise.all(processes.map((each) => each.exit));
    assert.deepEqual(
      exits.map((exit) => exit.error?.code),
      ['ssh_closed', 'ssh_closed', 'ssh_closed'],
    );
    assert.ok(took() < 2000);
    assert.deepEqual(ssh.stats(), { connections: 0, channels: 0 });
    for (const each of processes) {
      // What had arrived stays readable, and the output ends without an error.
      let text = '';
      for await (const chunk of each.stdout) text += chunk;
      assert.match(text, /\n$/);
      await each.close();
    }
    assert.equal((await ssh.run(targetOf(sshd), ['true'])).code, 0);
  });

  it('[R6] notices a frozen sshd by its silence, also for what was just being opened', async () => {
    const ssh = fresh({ limits: { keepaliveIntervalMs: 200 } });
    const follow = await ssh.exec(targetOf(sshd), FOLLOW);
    await firstOutput(follow);
    const pids = sshd.connectionPids();
    for (const pid of pids) process.kill(pid, 'SIGSTOP');
    try {
      const start = performance.now();
      const fair = startStopwatch();
      const opening = codeOf(ssh.exec(targetOf(sshd), ['true']));
      assert.equal((await follow.exit).error?.code, 'ssh_closed');
      const elapsed = performance.now() - start;
      assert.ok(elapsed > 350 && fair() < 1500, `${elapsed} ms for 3 intervals of 200 ms`);
      assert.equal(await opening, 'ssh_closed');
      assert.deepEqual(ssh.stats(), { connections: 0, channels: 0 });
    } finally {
      for (const pid of pids) process.kill(pid, 'SIGKILL');
    }
  });

  it('keeps a quiet connection that answers', async () => {
    const ssh = fresh({ limits: { keepaliveIntervalMs: 250 } });
    // Longer than the three intervals after which a silent one would be given up.
    const { code } = await ssh.run(targetOf(sshd), ['sleep', '1']);
    assert.equal(code, 0);
    assert.deepEqual(ssh.stats(), { connections: 1, channels: 0 });
  });

  it('[LOG-4] holds the host back while nobody reads, and answers on another channel meanwhile', async () => {
    const ssh = fresh();
    const target = targetOf(sshd);
    await ssh.login(target);
    const size = 200 * MB;
    const before = process.memoryUsage().rss;
    const unread = await ssh.exec(target, ['head', '-c', String(size), '/dev/zero']);
    let slowest = 0;
    for (let turn = 0; turn < 20; turn += 1) {
      const took = startStopwatch();
      await ssh.run(target, ['true']);
      slowest = Math.max(slowest, took());
    }
    const grown = process.memoryUsage().rss - before;
    assert.ok(grown < 48 * MB, `${Math.round(grown / MB)} MB for an unread channel`);
    assert.ok(slowest < 1000, `${slowest} ms for another channel`);
    assert.equal(ssh.stats().connections, 1);
    assert.ok(sshd.commands().some((line) => line.startsWith('head -c')));
    let read = 0;
    for await (const chunk of unread.stdout) read += chunk.length;
    assert.equal(read, size);
    assert.equal((await unread.exit).code, 0);
  });

  it('[LOG-4] holds an unread process back that also writes to standard error', async () => {
    const ssh = fresh();
    const target = targetOf(sshd);
    const script = 'while :; do head -c 200000 /dev/zero; echo chatter >&2; done';
    const chatty = await ssh.exec(target, ['sh', '-c', script]);
    await firstOutput(chatty);
    for (let turn = 0; turn < 20; turn += 1) await ssh.run(target, ['true']);
    // Cut off for overrunning the window it would be gone by now.
    assert.deepEqual(ssh.stats(), { connections: 1, channels: 1 });
    await chatty.close();
    assert.equal(ssh.stats().channels, 0);
  });

  it('leaks nothing in 200 rounds of starting and closing', async () => {
    const ssh = fresh();
    const target = targetOf(sshd);
    await ssh.run(target, ['true']);
    const fds = openFds();
    for (let round = 0; round < 50; round += 1) {
      const processes = await Promise.all(
        Array.from({ length: 4 }, (_, index) => ssh.exec(target, index === 0 ? ['true'] : FOLLOW)),
      );
      await Promise.all(processes.map((process) => process.close()));
      assert.equal(ssh.stats().channels, 0);
    }
    // Those the host had not torn down in time may have cost a second connection.
    assert.ok(ssh.stats().connections <= 2);
    await until(() => follows(sshd).length === 0);
    await ssh.stop();
    await until(() => openFds() <= fds - 1);
    assert.deepEqual(ssh.stats(), { connections: 0, channels: 0 });
  });

  describe('aborted', () => {
    /** Waits until sshd serves nobody and the pool is as given. */
    async function nothingLeft(ssh: SshPool, connections = 0): Promise<void> {
      await until(() => {
        assert.deepEqual(ssh.stats(), { connections, channels: 0 });
        return follows(sshd).length === 0;
      });
    }

    it('before it began', async () => {
      const ssh = fresh();
      const signal = AbortSignal.abort();
      assert.equal(await codeOf(ssh.exec(targetOf(sshd), FOLLOW, { signal })), 'ssh_closed');
      assert.equal(await codeOf(ssh.run(targetOf(sshd), ['true'], { signal })), 'ssh_closed');
      await nothingLeft(ssh);
    });

    it('while waiting for a turn', async () => {
      const ssh = fresh({ limits: { unprovenPerHost: 1 } });
      // Different targets, so that each needs a handshake of its own.
      const users = Array.from({ length: 6 }, (_, index) => ({
        ...targetOf(sshd),
        username: `nobody-${index}`,
      }));
      const abort = new AbortController();
      const codes = users.map((target) => codeOf(ssh.exec(target, FOLLOW, { signal: abort.signal })));
      await until(() => ssh.stats().connections === 6);
      abort.abort();
      assert.deepEqual(new Set(await Promise.all(codes)), new Set(['ssh_closed']));
      await nothingLeft(ssh);
      // The queue is free again.
      assert.equal((await ssh.run(targetOf(sshd), ['true'])).code, 0);
    });

    it('at any moment of connecting and starting', async () => {
      const ssh = fresh({ limits: { idleMs: 20 } });
      const fds = openFds();
      for (let delay = 0; delay < 60; delay += 2) {
        const abort = new AbortController();
        const starting = ssh.exec(targetOf(sshd), FOLLOW, { signal: abort.signal });
        setTimeout(() => abort.abort(), delay);
        await starting.then(
          (process) => process.close(),
          async () => assert.equal(await codeOf(starting), 'ssh_closed'),
        );
        await nothingLeft(ssh);
      }
      await until(() => openFds() <= fds);
    });

    it('while the channel is being opened, keeping the connection for the others', async () => {
      const ssh = fresh();
      await ssh.run(targetOf(sshd), ['true']);
      const aborts = Array.from({ length: 6 }, () => new AbortController());
      const starting = aborts.map(({ signal }) => codeOf(ssh.exec(targetOf(sshd), FOLLOW, { signal })));
      const kept = ssh.exec(targetOf(sshd), FOLLOW);
      // Past the wait for the connection: the requests are on their way, no answer can have come.
      for (let turn = 0; turn < 20; turn += 1) await Promise.resolve();
      for (const abort of aborts) abort.abort();
      assert.deepEqual(new Set(await Promise.all(starting)), new Set(['ssh_closed']));
      const process = await kept;
      await until(() => ssh.stats().channels === 1);
      assert.equal(follows(sshd).length, 1);
      await process.close();
      await nothingLeft(ssh, 1);
    });

    it('without ending a connection that somebody else waits for', async () => {
      const ssh = fresh();
      const abort = new AbortController();
      const aborted = codeOf(ssh.exec(targetOf(sshd), FOLLOW, { signal: abort.signal }));
      const other = ssh.run(targetOf(sshd), ['true']);
      abort.abort();
      assert.equal(await aborted, 'ssh_closed');
      assert.equal((await other).code, 0);
      await nothingLeft(ssh, 1);
    });

    it('leaving no listener on a signal that lives on', async () => {
      const ssh = fresh();
      const { signal } = new AbortController();
      let listeners = 0;
      const add = signal.addEventListener.bind(signal);
      const remove = signal.removeEventListener.bind(signal);
      signal.addEventListener = (...args: Parameters<typeof add>) => {
        listeners += 1;
        add(...args);
      };
      signal.removeEventListener = (...args: Parameters<typeof remove>) => {
        listeners -= 1;
        remove(...args);
      };
      for (let round = 0; round < 3; round += 1) {
        await ssh.run(targetOf(sshd), ['true'], { signal });
        await (await ssh.exec(targetOf(sshd), FOLLOW, { signal })).close();
        assert.equal(await codeOf(ssh.exec(targetOf({ port: 1 }), FOLLOW, { signal })), 'host_unreachable');
      }
      assert.ok(listeners <= 0, `${listeners} listeners left`);
    });
  });
});
