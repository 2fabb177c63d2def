import assert from 'node:assert/strict';
import { type ChildProcess, type ChildProcessByStdio, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import type { Readable } from 'node:stream';
import { HMAC_SECRET, isType, roomToken } from '../support/echo.ts';
import { makeRoomsDir } from '../support/rooms-dir.ts';
import { startStopwatch } from '../support/stopwatch.ts';
import { until } from '../support/until.ts';
import { openSocket } from '../support/websocket.ts';

/** A started process, with all it has printed so far. */
interface Started {
  child: ChildProcess;
  output(): string;
  exit: Promise<number | null>;
  ready(): Promise<string>;
}

/** Ends with code 0 on SIGTERM, and anyway after 5 s. */
const SIGNAL_PROGRAM = `
setTimeout(() => process.exit(3), 5000);
process.on('SIGTERM', () => {
  console.log('stopped');
  process.exit(0);
});
console.log('pid ' + process.pid);
`;

describe('process', () => {
  const children: ChildProcess[] = [];
  /** One whose stop hangs: begun first, since it takes 10 s, in which the other tests run. */
  let hanging: Started & { took: Promise<number> };

  before(async () => {
    const run = start({ FAKE_STOP: 'never' });
    children.splice(0);
    await run.ready();
    const took = startStopwatch();
    run.child.kill('SIGTERM');
    hanging = { ...run, took: run.exit.then(took) };
  });
  afterEach(() => {
    for (const child of children.splice(0)) child.kill('SIGKILL');
  });
  after(() => hanging?.child.kill('SIGKILL'));

  function start(env: Record<string, string> = {}, main = 'test/support/fake-main.ts'): Started {
    const child = spawn(process.execPath, ['--import=tsx', main], {
      env: { PATH: process.env.PATH, PORT: '0', ...env },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    return started(child);
  }

  function started(child: ChildProcessByStdio<null, Readable, Readable>): Started {
    children.push(child);
    let text = '';
    for (const stream of [child.stdout, child.stderr]) {
      stream.on('data', (chunk) => {
        text += String(chunk);
      });
    }
    const exit = once(child, 'close').then(([code]) => (typeof code === 'number' ? code : null));
    const pattern = /^Tailwire ready on (http:\/\/127\.0\.0\.1:\d+)$/m;
    return {
      child,
      output: () => text,
      exit,
      async ready() {
        await until(() => pattern.test(text));
        return pattern.exec(text)?.[1] ?? assert.fail();
      },
    };
  }

  it('[RUN-4] says that it is ready, with its real port, once it accepts connections', async () => {
    const run = start();
    const url = await run.ready();
    assert.equal(await (await fetch(url)).text(), 'ok');
    assert.match(run.output(), /Made up for this run.*SESSION_SECRET/);
  });

  for (const signal of ['SIGTERM', 'SIGINT'] as const) {
    it(`[RUN-5] stops in order and exits 0 on ${signal}`, async () => {
      const run = start();
      await run.ready();
      run.child.kill(signal);
      assert.equal(await run.exit, 0);
      assert.match(run.output(), /^stop called$/m);
    });
  }

  it('[RUN-5] npm start hands a signal to the server itself and ends as it does', async () => {
    const folder = await mkdtemp(path.join(tmpdir(), 'tailwire-npm-'));
    try {
      const { scripts } = JSON.parse(await readFile('package.json', 'utf8')) as {
        scripts: { start: string };
      };
      await writeFile(
        path.join(folder, 'package.json'),
        JSON.stringify({ scripts: { start: scripts.start } }),
      );
      await mkdir(path.join(folder, 'scripts'));
      await writeFile(path.join(folder, 'scripts/start.mjs'), SIGNAL_PROGRAM);
      const env = { PATH: process.env.PATH, HOME: folder };
      const run = started(spawn('npm', ['start'], { cwd: folder, env, stdio: ['ignore', 'pipe', 'pipe'] }));
      await until(() => run.output().includes('pid '));
      run.child.kill('SIGTERM');
      assert.equal(await run.exit, 0);
      assert.match(run.output(), /^stopped$/m);
    } finally {
      await rm(folder, { recursive: true });
    }
  });

  it('[RUN-5] exits at once on a second signal', async () => {
    const run = start({ FAKE_STOP: 'never' });
    await run.ready();
    run.child.kill('SIGTERM');
    await until(() => run.output().includes('stop called'));
    const took = startStopwatch();
    run.child.kill('SIGTERM');
    assert.equal(await run.exit, 1);
    assert.ok(took() < 2000);
  });

  it('[RUN-5] exits 1 where stopping fails', async () => {
    const run = start({ FAKE_STOP: 'fails' });
    await run.ready();
    run.child.kill('SIGTERM');
    assert.equal(await run.exit, 1);
    assert.match(run.output(), /stop of the test failed/);
  });

  it('logs an error that nothing caught, stops in order and exits 1', async () => {
    const run = start();
    await run.ready();
    run.child.kill('SIGUSR2');
    assert.equal(await run.exit, 1);
    assert.match(run.output(), /crash of the test/);
    assert.match(run.output(), /^stop called$/m);
  });

  it('[WS-2] an error that a room handler leaves behind is logged and ends nothing', async () => {
    const handler = `setTimeout(() => { throw new Error('of the module'); });
      export default class {
        requiresAuth = false;
        onJoin() { setTimeout(() => { throw new Error('of a timer'); }); }
        onMessage() {
          queueMicrotask(() => { throw new Error('of a microtask'); });
          void Promise.reject(new Error('of a promise'));
        }
        getRoutes() {
          const handler = () => void (async () => { throw new Error('of a route'); })();
          return [{ method: 'GET', path: '/go', open: true, handler }];
        }
      }`;
    const env = { EMBEDDED: '1', HMAC_SECRET, ROOMS_DIR: makeRoomsDir({ 'careless.mjs': handler }) };
    const run = start(env, 'server/main.ts');
    const url = await run.ready();
    const socket = await openSocket(`${url}/careless?token=${roomToken('careless')}`);
    const other = await openSocket(`${url}/chat?token=${roomToken('chat')}`);
    await socket.next(isType('welcome'));
    socket.send({ content: 1 });
    await fetch(`${url}/careless/go`);
    for (const what of ['of the module', 'of a timer', 'of a microtask', 'of a promise', 'of a route'])
      await until(() => run.output().includes(`"${what}"`));
    other.send({ type: 'keepalive' });
    await other.next(isType('ack'));
    assert.equal(socket.closed, null);
    run.child.kill('SIGTERM');
    assert.equal(await run.exit, 0);
  });

  it('says what to do about a port in use', async () => {
    const other = createServer();
    await new Promise<void>((resolve) => other.listen(0, '127.0.0.1', resolve));
    const address = other.address();
    const port = typeof address === 'object' && address !== null ? address.port : 0;
    try {
      const run = start({ PORT: String(port) });
      assert.equal(await run.exit, 1);
      assert.match(run.output(), new RegExp(`127\\.0\\.0\\.1:${port} is in use.*PORT`));
    } finally {
      other.close();
    }
  });

  const found: [string, Record<string, string>, RegExp][] = [
    [
      'a certificate that is not there',
      { TLS_CERT: '/nowhere/c.pem', TLS_KEY: '/nowhere/k.pem' },
      /TLS_CERT .*ENOENT/,
    ],
    ['a certificate that is none', { TLS_CERT: 'package.json', TLS_KEY: 'package.json' }, /TLS_CERT/],
    [
      'a database of Redis that is none',
      { REDIS_URL: 'redis://:secret@localhost/abc' },
      /REDIS_URL .*database/,
    ],
  ];
  for (const [what, env, message] of found) {
    it(`[ENV-1] names the variable of ${what}, in one line`, async () => {
      const run = start(env, 'server/main.ts');
      assert.equal(await run.exit, 1);
      const line = run
        .output()
        .split('\n')
        .find((text) => text.startsWith('Tailwire cannot start: '));
      assert.match(line ?? '', message);
      assert.doesNotMatch(run.output(), /:secret@|at .*\.ts|Tailwire ready/);
    });
  }

  it('[RUN-4] prints every faulty variable at once and exits 1', async () => {
    const run = start({ NODE_ENV: 'production', LOG_LEVEL: 'loud', SESSION_SECRET: 'change-me' });
    assert.equal(await run.exit, 1);
    for (const name of ['REDIS_URL', 'LOG_LEVEL', 'SESSION_SECRET'])
      assert.match(run.output(), new RegExp(`^ {2}- ${name} .*Example: `, 'm'));
    assert.doesNotMatch(run.output(), /ready|change-me|at .*\.ts/);
  });

  it('[RUN-5] ends within 10 s even if a stop hangs, and says so', async () => {
    assert.equal(await hanging.exit, 1);
    assert.ok((await hanging.took) < 10_500);
    assert.match(hanging.output(), /Stopping took too long/);
  });
});
