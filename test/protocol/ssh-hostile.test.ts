import assert from 'node:assert/strict';
import type { Socket } from 'node:net';
import type { KeyboardAuthContext } from 'ssh2';
import type { SshLimits } from '../../server/ssh/limits.ts';
import type { SshPool } from '../../server/ssh/types.ts';
import {
  type FakeServer,
  type FakeSshBehaviour,
  startFakeServer,
  startFakeSshServer,
} from '../support/fake-ssh-server.ts';
import { codeOf, openFds, targetOf, testPool } from '../support/ssh.ts';
import { SSHD_PASSWORD } from '../support/sshd.ts';
import { startStopwatch } from '../support/stopwatch.ts';
import { until } from '../support/until.ts';

const MB = 1024 * 1024;
const IDENT = 'SSH-2.0-OpenSSH_9.2p1\r\n';

/** Sends as fast as the other side takes it. */
function flood(socket: Socket, chunk: Buffer | string): void {
  while (socket.writable && socket.write(chunk));
  if (socket.writable) socket.once('drain', () => flood(socket, chunk));
}

/** Sends a byte now and then for ever. */
function trickle(socket: Socket, text: string): void {
  let at = 0;
  const timer = setInterval(() => socket.write(text[at++ % text.length] ?? ''), 10);
  socket.on('close', () => clearInterval(timer));
}

describe('hostile SSH servers', () => {
  const servers: FakeServer[] = [];
  let pool: SshPool;

  beforeEach(() => {
    pool = fresh();
  });
  afterEach(async () => {
    await pool.stop();
    await Promise.all(servers.splice(0).map((server) => server.stop()));
  });

  function fresh(limits: Partial<SshLimits> = {}): SshPool {
    return testPool({ limits });
  }

  /** Replaces the pool by one with these limits. */
  async function limited(limits: Partial<SshLimits>): Promise<void> {
    await pool.stop();
    pool = fresh(limits);
  }

  async function raw(serve: (socket: Socket) => void): Promise<FakeServer> {
    const server = await startFakeServer(serve);
    servers.push(server);
    return server;
  }

  async function ssh(behaviour: FakeSshBehaviour): Promise<FakeServer> {
    const server = await startFakeSshServer(behaviour);
    servers.push(server);
    return server;
  }

  const handshakes: [string, (socket: Socket) => void][] = [
    ['says nothing', () => {}],
    ['closes at once', (socket) => socket.end()],
    ['resets at once', (socket) => socket.resetAndDestroy()],
    ['sends an endless banner', (socket) => flood(socket, `${'banner '.repeat(100)}\r\n`)],
    ['sends a line that never ends', (socket) => flood(socket, 'x'.repeat(16_384))],
    ['sends a banner byte by byte', (socket) => trickle(socket, 'welcome\r\n')],
    ['sends garbage', (socket) => flood(socket, Buffer.alloc(16_384, 0xa5))],
    ['speaks HTTP', (socket) => socket.end('HTTP/1.1 400 Bad Request\r\n\r\n')],
    ['stops after its identification', (socket) => socket.write(IDENT)],
    [
      'goes on byte by byte after its identification',
      (socket) => socket.write(IDENT, () => trickle(socket, '\0')),
    ],
    [
      'announces a huge packet',
      (socket) => socket.write(Buffer.concat([Buffer.from(IDENT), Buffer.alloc(64, 0x7f)])),
    ],
    ['goes on with garbage', (socket) => socket.write(IDENT, () => flood(socket, Buffer.alloc(16_384, 1)))],
    ['speaks SSH 1', (socket) => socket.write('SSH-1.5-old\r\n')],
  ];
  for (const [name, serve] of handshakes) {
    it(`[S16] cuts a server that ${name}`, async () => {
      const server = await raw(serve);
      await limited({ readyTimeoutMs: 400 });
      const before = process.memoryUsage().rss;
      const took = startStopwatch();
      assert.equal(await codeOf(pool.login(targetOf(server))), 'host_unreachable');
      assert.ok(took() < 1000);
      assert.deepEqual(pool.stats(), { connections: 0, channels: 0 });
      await until(() => server.open === 0);
      assert.ok(process.memoryUsage().rss - before < 32 * MB);
    });
  }

  it('[S16] serves other hosts at once while hostile ones keep it waiting', async () => {
    await limited({ readyTimeoutMs: 1500 });
    const slow = await Promise.all(Array.from({ length: 10 }, () => raw((socket) => socket.write(IDENT))));
    const good = await ssh({ onExec: (channel) => channel.end('fine\n') });
    const hanging = slow.flatMap((server) =>
      Array.from({ length: 4 }, (_, user) =>
        codeOf(pool.exec({ ...targetOf(server), username: `user${user}` }, ['true'])),
      ),
    );
    let given = 0;
    for (const code of hanging) void code.then(() => (given += 1));
    const took = startStopwatch();
    await pool.login(targetOf(good));
    assert.ok(took() < 300, `${took()} ms`);
    assert.equal(given, 0, 'the hostile ones keep it waiting still');
    assert.deepEqual(new Set(await Promise.all(hanging)), new Set(['host_unreachable']));
  });

  it('[S16] has no more than 4 handshakes with one host under way', async () => {
    const server = await raw((socket) => socket.write(IDENT));
    await limited({ readyTimeoutMs: 400 });
    const codes = Array.from({ length: 12 }, (_, user) =>
      codeOf(pool.exec({ ...targetOf(server), username: `user${user}` }, ['true'])),
    );
    let most = 0;
    const watch = setInterval(() => {
      most = Math.max(most, server.open);
    }, 5);
    await until(() => server.connections >= 4);
    await pool.stop();
    await Promise.all(codes);
    clearInterval(watch);
    assert.ok(most >= 1 && most <= 4, `${most} at once`);
  });

  it('[SES-2] sends a password once, whatever a server asks', async () => {
    const answers: string[] = [];
    const asks: { prompt: string; echo: boolean }[][] = [];
    const server = await ssh({
      onAuth: (context) => {
        if (context.method !== 'keyboard-interactive') return context.reject(['keyboard-interactive']);
        const keyboard = context as KeyboardAuthContext;
        const ask = () => {
          asks.push([{ prompt: 'Password: ', echo: false }]);
          keyboard.prompt([{ prompt: 'Password: ', echo: false }], (given) => {
            answers.push(...(given ?? []));
            ask();
          });
        };
        ask();
      },
    });
    assert.equal(await codeOf(pool.login(targetOf(server))), 'auth_failed');
    assert.deepEqual(answers, [SSHD_PASSWORD]);
    assert.equal(asks.length, 2);
  });

  for (const [name, prompts] of [
    ['with echo', [{ prompt: 'Name: ', echo: true }]],
    [
      'for two things',
      [
        { prompt: 'Password: ', echo: false },
        { prompt: 'Code: ', echo: false },
      ],
    ],
  ] as const) {
    it(`[SES-2] does not answer a prompt ${name}`, async () => {
      const answers: string[] = [];
      const server = await ssh({
        onAuth: (context) => {
          if (context.method !== 'keyboard-interactive') return context.reject(['keyboard-interactive']);
          (context as KeyboardAuthContext).prompt(
            [...prompts],
            (given) => void answers.push(...(given ?? [])),
          );
        },
      });
      await assert.rejects(pool.login(targetOf(server)), {
        code: 'auth_failed',
        detail: 'the host asks for more than a password',
      });
      assert.deepEqual(answers, []);
    });
  }

  it('does not try a password that was refused in another way', async () => {
    const methods: string[] = [];
    const server = await ssh({
      onAuth: (context) => {
        methods.push(context.method);
        context.reject(['password', 'keyboard-interactive', 'publickey']);
      },
    });
    assert.equal(await codeOf(pool.login(targetOf(server))), 'auth_failed');
    assert.deepEqual(methods, ['password']);
  });

  it('gives up where a login is answered with silence', async () => {
    const server = await ssh({ onAuth: () => {} });
    await limited({ readyTimeoutMs: 1000 });
    assert.equal(await codeOf(pool.login(targetOf(server))), 'host_unreachable');
    await until(() => server.open === 0);
  });

  it('[S16] cuts a server that overruns the window of an unread channel', async () => {
    // Not a divisor of the window: ssh2 drops what comes after a window that is used up to the byte.
    const block = Buffer.alloc(32_000);
    let sent = 0;
    const server = await ssh({
      onExec: (channel) => {
        // What ssh2's server keeps of our window: it takes this for permission to send for ever.
        const { outgoing } = channel as unknown as { outgoing: { window: number } };
        const send = () => {
          outgoing.window = Number.MAX_SAFE_INTEGER;
          for (let count = 0; count < 16 && !channel.destroyed && sent < 512 * MB; count += 1) {
            channel.write(block);
            sent += block.length;
          }
          if (server.open > 0) setImmediate(send);
        };
        send();
      },
    });
    const before = process.memoryUsage().rss;
    const unread = await pool.exec(targetOf(server), ['true']);
    assert.equal((await unread.exit).error?.code, 'ssh_connection_error');
    assert.deepEqual(pool.stats(), { connections: 0, channels: 0 });
    // This process is the sender too, with what it had not got rid of.
    assert.ok(process.memoryUsage().rss - before < 64 * MB);
  });

  it('[S16] cuts a server that wants answers without reading them', async () => {
    let sent = 0;
    const server = await ssh({
      onReady: (connection) => {
        const { _protocol, _sock } = connection as unknown as {
          _protocol: { x11: (...args: unknown[]) => void };
          _sock: Socket;
        };
        const send = () => {
          _sock.pause();
          for (let count = 0; count < 500; count += 1) {
            _protocol.x11(sent++, 1024, 1024, { originAddr: 'x'.repeat(50), originPort: 1 });
          }
          if (server.open > 0 && sent < 3_000_000) setTimeout(send, 1);
        };
        send();
      },
    });
    await pool.login(targetOf(server));
    await until(() => pool.stats().connections === 0);
    assert.ok(sent < 1_000_000, `${sent} requests taken`);
    assert.deepEqual(pool.stats(), { connections: 0, channels: 0 });
  });

  it('[S16] cuts a server that makes it ask for proofs of ever more host keys', async () => {
    let sent = 0;
    const server = await ssh({
      onReady: (connection) => {
        const { _protocol } = connection as unknown as {
          _protocol: {
            requestFailure: () => void;
            _cipher: { allocPacket(size: number): Buffer; encrypt(packet: Buffer): void };
            _packetRW: {
              write: { allocStart: number; alloc(size: number): Buffer; finalize(packet: Buffer): Buffer };
            };
          };
        };
        const { write } = _protocol._packetRW;
        // The answers that would take the questions off its list.
        _protocol.requestFailure = () => {};
        const name = Buffer.from('hostkeys-00@openssh.com');
        const part = (bytes: Buffer) => Buffer.concat([Buffer.from([0, 0, 0, bytes.length]), bytes]);
        const key = Buffer.concat([part(Buffer.from('ssh-ed25519')), part(Buffer.alloc(32, 9))]);
        const payload = Buffer.concat([Buffer.from([80]), part(name), Buffer.from([0]), part(key)]);
        const send = () => {
          for (let count = 0; count < 20; count += 1) {
            const packet = write.alloc(payload.length);
            payload.copy(packet, write.allocStart);
            _protocol._cipher.encrypt(write.finalize(packet));
            sent += 1;
          }
          if (server.open > 0 && sent < 100_000) setImmediate(send);
        };
        send();
      },
    });
    await pool.login(targetOf(server));
    await until(() => pool.stats().connections === 0);
    assert.ok(sent < 2_000, `${sent} requests taken`);
  });

  for (const ignores of ['channel', 'command'] as const) {
    it(`gives up a ${ignores} that is never answered, and the connection with it`, async () => {
      const server = await ssh({ ignores });
      await limited({ openTimeoutMs: 100 });
      const { signal } = new AbortController();
      const abort = new AbortController();
      const aborted = codeOf(pool.exec(targetOf(server), ['true'], { signal: abort.signal }));
      assert.equal(await codeOf(pool.exec(targetOf(server), ['true'], { signal })), 'ssh_connection_error');
      abort.abort();
      assert.match(await aborted, /^ssh_(?:closed|connection_error)$/);
      await until(() => server.open === 0);
      assert.deepEqual(pool.stats(), { connections: 0, channels: 0 });
    });
  }

  it('gives up a channel of which the end is never confirmed, and the connection with it', async () => {
    const server = await ssh({
      onExec: (channel) => {
        channel.write('line\n');
        // Neither its own end nor an answer to ours.
        Object.assign(channel, { close: () => {}, end: () => {}, eof: () => {} });
      },
    });
    await limited({ closeTimeoutMs: 100 });
    const process = await pool.exec(targetOf(server), ['true']);
    await process.close();
    assert.equal((await process.exit).code, null);
    await until(() => server.open === 0);
    assert.deepEqual(pool.stats(), { connections: 0, channels: 0 });
  });

  it('[S16] leaks nothing over 100 connections of all kinds', async () => {
    const kinds = await Promise.all(
      handshakes
        .filter(([name]) => !/says nothing|byte by byte|stops/.test(name))
        .map(([, serve]) => raw(serve)),
    );
    await Promise.all(kinds.map((server) => codeOf(pool.login(targetOf(server)))));
    const fds = openFds();
    for (let round = 0; round < 12; round += 1) {
      await Promise.all(kinds.map((server) => codeOf(pool.login(targetOf(server)))));
    }
    await until(() => openFds() <= fds);
    assert.deepEqual(pool.stats(), { connections: 0, channels: 0 });
  });
});
