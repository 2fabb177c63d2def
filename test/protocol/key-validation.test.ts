import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { type FakeKeyService, honest, json, startFakeKeyService } from '../support/fake-key-service.ts';
import { createRecordLogger, type RecordLogger } from '../support/record-logger.ts';
import { startServer, type TestServer } from '../support/server.ts';
import { startStopwatch } from '../support/stopwatch.ts';
import { until } from '../support/until.ts';
import { openSocket, type TestSocket, type TestSocketOptions, upgradeStatus } from '../support/websocket.ts';

const type = (wanted: string) => (message: Record<string, unknown>) => message.type === wanted;

describe('key validation', () => {
  let service: FakeKeyService;
  let server: TestServer;
  let logger: RecordLogger;
  /** A client that answers no ping: begun first, since it is cut after 5 s, in which the other tests run. */
  let silent: { server: TestServer; cutAfter: Promise<[wallMs: number, fairMs: number]> };
  before(async () => {
    const own = await startServer({ HEARTBEAT_INTERVAL: '50', CLIENT_TIMEOUT: '60000' });
    const { ws } = await openSocket(`${own.url}/?key=a`, { autoPong: false });
    const began = performance.now();
    const fair = startStopwatch();
    silent = { server: own, cutAfter: once(ws, 'close').then(() => [performance.now() - began, fair()]) };
  });
  after(() => silent?.server.stop());
  beforeEach(async () => {
    service = await startFakeKeyService();
    logger = createRecordLogger();
    server = await startServer({ VALIDATION_URL: service.url }, { logger });
  });
  afterEach(async () => {
    await server.stop();
    await service.stop();
  });

  const connect = (key = 'good', options: TestSocketOptions = {}): Promise<TestSocket> =>
    openSocket(`${server.url}/?serviceId=my%26service&hwid=hw-1&key=${key}`, options);

  /** Validates a key and returns what came of it. */
  async function validate(socket: TestSocket, key?: string): Promise<Record<string, unknown>> {
    socket.send({ type: 'validate', serviceId: 'my&service', hwid: 'hw-1', key });
    return socket.next(type('validation_response'));
  }

  it('[WS-3] welcomes, answers heartbeats and validates as in the document', async () => {
    const socket = await connect();
    const { clientId, ...welcome } = await socket.next(() => true);
    assert.deepEqual(welcome, { type: 'welcome', message: 'Connected to WebSocket server' });
    assert.equal(typeof clientId, 'string');
    socket.send({ type: 'heartbeat' });
    const { timestamp } = await socket.next(type('heartbeat_response'));
    assert.ok(Math.abs(Date.now() - Number(timestamp)) < 60_000);
    assert.deepEqual(await validate(socket, 'good'), {
      type: 'validation_response',
      success: true,
      message: 'Authentication successful',
      data: { V2_Authentication: 'success', note: 'ü' },
    });
    assert.deepEqual(await validate(socket, 'wrong'), {
      type: 'validation_response',
      success: false,
      message: 'Authentication failed',
      data: { V2_Authentication: 'failed', note: 'ü' },
      reason: 'rejected',
    });
    assert.equal(service.asked[0]?.toString(), 'client=tailwire&service=my%26service&hwid=hw-1&key=good');
  });

  it('[WS-3] what a message leaves out is taken from the URL', async () => {
    const socket = await connect('good-from-url');
    socket.send({ type: 'validate' });
    assert.equal((await socket.next(type('validation_response'))).success, true);
    assert.equal(service.asked[0]?.get('key'), 'good-from-url');
    const bare = await openSocket(`${server.url}/`);
    bare.send({ type: 'validate', serviceId: 's', hwid: 'h' });
    assert.equal((await bare.next(type('error'))).code, 'invalid_request');
  });

  it('[WS-3] only a 200 with JSON that says success is a success', async () => {
    const socket = await connect();
    const success = { V2_Authentication: 'success' };
    const rejected: FakeKeyService['answer'][] = [
      json({}),
      json({ V2_Authentication: 'Success' }),
      json({ V2_Authentication: true }),
      json({ V2_Authentication: ['success'] }),
      json({ data: success }),
      json([success]),
      json('"success"'),
      json('{"__proto__":{"V2_Authentication":"success"}}'),
      json('null'),
      json(success, 403),
      json(success, 404),
    ];
    const unavailable: FakeKeyService['answer'][] = [
      json(success, 201),
      json(success, 500),
      json(success, 503),
      json(success, 429),
      json(`${JSON.stringify(success)}x`),
      json(''),
      json(`{"V2_Authentication":"success","deep":${'['.repeat(1000)}${']'.repeat(1000)}}`),
      (_query, response) => response.end('success'),
      (_query, response) =>
        response.writeHead(200, { 'content-type': 'text/html' }).end(JSON.stringify(success)),
      (_query, response) => response.writeHead(204).end(),
      (_query, response) => response.socket?.destroy(),
    ];
    let key = 0;
    for (const [answers, reason] of [
      [rejected, 'rejected'],
      [unavailable, 'unavailable'],
    ] as const) {
      for (const answer of answers) {
        service.answer = answer;
        const result = await validate(socket, `good-${key++}`);
        assert.deepEqual([result.success, result.reason], [false, reason], String(key));
        if (reason === 'rejected') continue;
        // So that the breaker does not answer for the next one.
        service.answer = honest;
        await until(async () => (await validate(socket, `good-${key++}`)).success);
      }
    }
  });

  it('[WS-3] an answer without a content type is read as JSON', async () => {
    const socket = await connect();
    service.answer = (_query, response) => response.end('{"V2_Authentication":"success"}');
    assert.equal((await validate(socket, 'untyped')).success, true);
    service.answer = (_query, response) => response.end('{"V2_Authentication":"failed"}');
    assert.deepEqual((await validate(socket, 'untyped no')).reason, 'rejected');
    service.answer = honest;
  });

  it('[WS-3] a question mark in a key is part of it', async () => {
    const socket = await openSocket(`${server.url}/?serviceId=s&hwid=h&key=good?no`);
    let asked: string | null = null;
    service.answer = (query, response, request) => {
      asked = query.get('key');
      honest(query, response, request);
    };
    await validate(socket);
    assert.equal(asked, 'good?no');
    service.answer = honest;
  });

  it('[WS-3] redirects are not followed: the key goes to nobody else', async () => {
    let visits = 0;
    const elsewhere = createServer((request, response) => {
      visits += 1;
      json({ V2_Authentication: 'success' })(new URLSearchParams(), response, request);
    });
    await new Promise<void>((resolve) => {
      elsewhere.listen(0, '127.0.0.1', resolve);
    });
    const location = `http://127.0.0.1:${(elsewhere.address() as AddressInfo).port}/`;
    const socket = await connect();
    for (const status of [301, 302, 303, 307, 308]) {
      service.answer = (_query, response) => response.writeHead(status, { location }).end();
      assert.equal((await validate(socket, `good-${status}`)).success, false);
    }
    assert.equal(visits, 0);
    elsewhere.close();
  });

  it('[WS-3] a service that hangs is given 2 s, and after two of them a rest', async () => {
    const socket = await connect();
    service.answer = () => {};
    const began = performance.now();
    const took = startStopwatch();
    assert.equal((await validate(socket, 'good-1')).reason, 'unavailable');
    const first = performance.now() - began;
    assert.ok(first > 1900 && took() < 3000, String(first));
    await validate(socket, 'good-2');
    assert.ok(took() < 5000);
    const asked = service.asked.length;
    const open = startStopwatch();
    for (let n = 0; n < 20; n += 1) assert.equal((await validate(socket, `good-3-${n}`)).success, false);
    assert.ok(open() < 1000);
    assert.equal(service.asked.length, asked);
    service.answer = honest;
    await until(async () => (await validate(socket, 'good')).success);
  });

  it('[WS-3] slow and huge bodies are cut off', async () => {
    const socket = await connect();
    service.answer = (_query, response) => {
      response.writeHead(200, { 'content-type': 'application/json' });
      response.write('{"V2_Authentication":"success"');
      const timer = setInterval(() => response.write(' '), 100);
      response.on('close', () => clearInterval(timer));
    };
    const took = startStopwatch();
    assert.equal((await validate(socket, 'good-slow')).reason, 'unavailable');
    assert.ok(took() < 3000);
    let sent = 0;
    let cut = false;
    service.answer = (_query, response) => {
      response.writeHead(200, { 'content-type': 'application/json' });
      response.on('close', () => {
        cut = true;
      });
      const push = (): void => {
        while (!cut && sent < 200_000_000) {
          sent += 65_536;
          if (!response.write(' '.repeat(65_536))) {
            response.once('drain', push);
            return;
          }
        }
      };
      push();
    };
    assert.equal((await validate(socket, 'good-huge')).reason, 'unavailable');
    await until(() => cut);
    assert.ok(sent < 50_000_000, String(sent));
  });

  it('[WS-3] a flapping service never lets a wrong key in, and right keys again when it is up', async () => {
    const socket = await connect();
    let turn = 0;
    service.answer = (query, response, request) => {
      turn += 1;
      const answer = [honest, json({ V2_Authentication: 'success' }, 500), honest][turn % 3] ?? honest;
      answer(query, response, request);
    };
    for (let n = 0; n < 40; n += 1) assert.equal((await validate(socket, `wrong-${n}`)).success, false);
    await until(async () => (await validate(socket, 'good')).success);
  });

  it('[WS-3] the same question is asked once at a time, and a no is remembered for a moment', async () => {
    const sockets = await Promise.all(Array.from({ length: 10 }, () => connect()));
    let release = () => {};
    service.answer = (...question) => {
      release = () => honest(...question);
    };
    const asking = sockets.map((socket) => validate(socket, 'good-together'));
    // Answered behind the question: each has been taken then.
    for (const { send } of sockets) send({ type: 'heartbeat' });
    await until(() => sockets.every(({ messages }) => messages.some(type('heartbeat_response'))));
    await until(() => service.asked.length > 0);
    release();
    assert.ok((await Promise.all(asking)).every(({ success }) => success));
    assert.equal(service.asked.length, 1);
    service.answer = honest;
    const [socket] = sockets;
    assert.ok(socket);
    for (let n = 0; n < 5; n += 1) assert.equal((await validate(socket, 'wrong')).success, false);
    assert.equal(service.asked.length, 2);
    // A yes is not: the key may have been withdrawn since.
    await validate(socket, 'good-together');
    assert.equal(service.asked.length, 3);
  });

  it('[WS-3] data is passed on as far as it is small and flat', async () => {
    const socket = await connect();
    const success = { V2_Authentication: 'success' };
    for (const [given, seen] of [
      [
        `{"V2_Authentication":"success","a":{"b":[1,"<b>"]},"__proto__":{"x":1}}`,
        { ...success, a: { b: [1, '<b>'] } },
      ],
      [JSON.stringify({ ...success, text: 'x'.repeat(20_000) }), {}],
      [`{"V2_Authentication":"success","deep":${'['.repeat(20)}${']'.repeat(20)}}`, {}],
    ] as const) {
      service.answer = json(given);
      const { success: is, data } = await validate(socket, 'good');
      assert.equal(is, true);
      assert.deepEqual(data, seen);
    }
  });

  it('[WS-3] validations of one connection are bounded', async () => {
    const socket = await connect();
    service.answer = () => {};
    for (let n = 0; n < 10; n += 1) socket.send({ type: 'validate', key: `good-${n}` });
    await until(() => socket.messages.filter(({ code }) => code === 'rate_limited').length === 6);
    await until(() => socket.messages.filter(type('validation_response')).length === 4);
    assert.equal(service.asked.length, 4);
  });

  it('[WS-5] what is wrong is answered, and the connection stays', async () => {
    const socket = await connect();
    const wrong: [unknown, string][] = [
      ['{', 'invalid_json'],
      ['', 'invalid_json'],
      ['['.repeat(100_000), 'invalid_json'],
      ['null', 'unknown_event'],
      ['[]', 'unknown_event'],
      [{ type: 'fly' }, 'unknown_event'],
      [{ type: '__proto__' }, 'unknown_event'],
      [{ type: ['validate'] }, 'unknown_event'],
      [{ type: 'validate', key: 7 }, 'invalid_request'],
      [{ type: 'validate', key: '' }, 'invalid_request'],
      [{ type: 'validate', key: 'a\u0000b' }, 'invalid_request'],
      [{ type: 'validate', key: '\ud800' }, 'invalid_request'],
      [{ type: 'validate', hwid: 'x'.repeat(257) }, 'invalid_request'],
    ];
    for (const [message, code] of wrong) {
      socket.send(message);
      assert.equal((await socket.next(type('error'))).code, code, JSON.stringify(message).slice(0, 80));
    }
    assert.equal(service.asked.length, 0);
    assert.equal((await validate(socket, 'good')).success, true);
    assert.equal(await upgradeStatus(`${server.url}/?key=${'x'.repeat(257)}`), 400);
    assert.equal(await upgradeStatus(`${server.url}/?key=%00`), 400);
    assert.equal(
      await upgradeStatus(`${server.url}/?key=a`, { headers: { origin: 'https://evil.example' } }),
      403,
    );
  });

  it('[WS-3] [HTTP-3] keys and hardware ids are never logged', async () => {
    const canary = 'good-canary-4711';
    const socket = await openSocket(`${server.url}/?serviceId=s&hwid=hw-canary-4712&key=${canary}`);
    for (const answer of [honest, json({}, 500), () => {}, json('x')]) {
      service.answer = answer;
      socket.send({ type: 'validate' });
      await socket.next(type('validation_response'));
    }
    assert.ok(logger.lines.some((line) => line.includes('key validation')));
    assert.ok(!logger.lines.join('\n').includes('canary'));
  });

  it('[WS-3] a client is cut 5 s after the interval where CLIENT_TIMEOUT is longer', async () => {
    const [wallMs, fairMs] = await silent.cutAfter;
    assert.ok(wallMs > 4900 && fairMs < 6500, String(wallMs));
  });
});

describe('the example client of key validation', () => {
  it('[WS-3] validates and exits by its commands', async () => {
    const service = await startFakeKeyService();
    const server = await startServer({ VALIDATION_URL: service.url });
    const client = spawn(
      process.execPath,
      ['examples/key-validation-client.mjs', server.url.replace('http', 'ws'), 's', 'h', 'good-example'],
      { stdio: ['pipe', 'pipe', 'inherit'] },
    );
    try {
      let shown = '';
      client.stdout.on('data', (data) => {
        shown += String(data);
      });
      await until(() => shown.includes('Connected to WebSocket server'));
      client.stdin.write('validate\n');
      await until(() => shown.includes('Authentication successful'));
      assert.equal(service.asked[0]?.get('key'), 'good-example');
      client.stdin.write('exit\n');
      await until(() => client.exitCode === 0);
    } finally {
      client.kill();
      await server.stop();
      await service.stop();
    }
  });
});

describe('the heartbeat of key validation', () => {
  it('[WS-3] whoever is silent for longer than CLIENT_TIMEOUT is cut, whoever answers pings is not', async () => {
    const server = await startServer({ HEARTBEAT_INTERVAL: '100', CLIENT_TIMEOUT: '1000' });
    const [alive, dead] = await Promise.all([
      openSocket(`${server.url}/?key=a`),
      openSocket(`${server.url}/?key=a`, { autoPong: false }),
    ]);
    let pings = 0;
    alive.ws.on('ping', () => {
      pings += 1;
    });
    await until(() => dead.closed);
    await until(() => pings >= 15);
    assert.equal(alive.closed, null);
    await server.stop();
  });
});

describe('key validation without a service', () => {
  it('[WS-0] [WS-3] it is off in production, and elsewhere no key is valid', async () => {
    const logger = createRecordLogger();
    const server = await startServer({}, { logger });
    assert.ok(logger.lines.some((line) => line.includes('VALIDATION_URL')));
    const socket = await openSocket(`${server.url}/?serviceId=s&hwid=h&key=k`);
    socket.send({ type: 'validate' });
    const { success, reason } = await socket.next(type('validation_response'));
    assert.deepEqual([success, reason], [false, 'unavailable']);
    await server.stop();
    const strict = createRecordLogger();
    const production = await startServer(
      { NODE_ENV: 'production', EMBEDDED: '1', SESSION_SECRET: 'a session secret of some length' },
      { logger: strict },
    );
    assert.equal(await upgradeStatus(`${production.url}/?serviceId=s&hwid=h&key=k`), 404);
    assert.ok(strict.lines.some((line) => line.includes('VALIDATION_URL is not set')));
    await production.stop();
  });
});
