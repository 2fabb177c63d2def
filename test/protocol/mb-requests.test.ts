import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { describeMb, errorCode } from '../support/mb.ts';
import { startStopwatch } from '../support/stopwatch.ts';
import { until } from '../support/until.ts';

/** Long enough for 300 requests to be open at one time, in ms. */
const OPEN_MS = 2500;

describeMb('requests over the Message Broker', (rig) => {
  it('[WS-4] a request goes to exactly one subscriber, and its answer back', async () => {
    const requester = await rig.connect(rig.one);
    const responders = await Promise.all([
      rig.connect(rig.one),
      rig.connect(rig.one),
      rig.connect(rig.two),
      rig.connect(rig.two),
    ]);
    for (const [n, responder] of responders.entries()) {
      responder.serve((payload) => ({ n, payload }));
      await responder.subscribe(n % 2 ? 'work.+' : 'work.do', 'request');
    }
    const id = randomUUID();
    const parent = randomUUID();
    const answer = await requester.ask(
      'work.do',
      { task: 1 },
      { requestId: id, parentRequestId: parent, timeout: 4000 },
    );
    const { n } = answer.payload as { n: number };
    const given = responders[n]?.frames.find(({ header }) => header.action === 'request');
    assert.equal(given?.line, `request:work.do:1.0.0:${id}:${parent}:4000`);
    assert.match(answer.line, new RegExp(`^response:work\\.do:1\\.0\\.0:[0-9a-f-]{36}:${id}$`));
    assert.deepEqual(answer.payload, { n, payload: { task: 1 } });

    const counts = () =>
      responders.map(({ frames }) => frames.filter(({ header }) => header.action === 'request').length);
    // What another instance has may be known a moment later: until then those here get all.
    let asked = 1;
    await until(async () => {
      asked += 1;
      await requester.ask('work.do', {});
      return counts()[2] || counts()[3];
    });
    const requests = 60;
    await Promise.all(Array.from({ length: requests }, (_, task) => requester.ask('work.do', { task })));
    const given2 = counts();
    assert.equal(
      given2.reduce((sum, count) => sum + count, 0),
      asked + requests,
    );
    // By chance over instances and in turns on each: with 60 requests none goes without (chance below 1e-9).
    for (const count of given2) assert.ok(count > 0, given2.join());
  });

  it('[WS-4] ids are the same in either case, and the answer names the requester as it wrote itself', async () => {
    const [requester, responder] = [await rig.connect(rig.one), await rig.connect(rig.two)];
    responder.serve(() => 'done');
    await responder.subscribe('case', 'request');
    const id = randomUUID().toUpperCase();
    const answer = await requester.ask('case', {}, { requestId: id });
    assert.equal(answer.header.parentRequestId, id);
    assert.equal(answer.payload, 'done');
    const other = randomUUID().toUpperCase();
    assert.equal(errorCode(await requester.ask('system.nothing', {}, { requestId: other })), 'not_found');
  });

  it('[WS-4] a subscriber that has just said so is found from everywhere', async () => {
    const requester = await rig.connect(rig.one);
    for (let n = 0; n < 20; n += 1) {
      const responder = await rig.connect(rig.two);
      responder.serve(() => n);
      await responder.subscribe(`fresh.${n}`, 'request');
      assert.equal((await requester.ask(`fresh.${n}`)).payload, n);
    }
  });

  it('[WS-4] its own requests a client gets only where nobody else takes them', async () => {
    const [alone, other] = await Promise.all([rig.connect(rig.one), rig.connect(rig.two)]);
    alone.serve(() => 'myself');
    other.serve(() => 'other');
    await alone.subscribe('self');
    assert.equal((await alone.ask('self')).payload, 'myself');
    await other.subscribe('self');
    // The other instance hears of it in its own time.
    await until(async () => (await alone.ask('self')).payload === 'other');
    for (let n = 0; n < 10; n += 1) assert.equal((await alone.ask('self')).payload, 'other');
  });

  it('[WS-4] without an answer in time the requester is told', async () => {
    const [requester, silent] = await Promise.all([rig.connect(rig.one), rig.connect(rig.two)]);
    await silent.subscribe('silent', 'request');
    const began = performance.now();
    const fair = startStopwatch();
    const answer = await requester.ask('silent', {}, { timeout: 200 });
    const took = performance.now() - began;
    assert.ok(took >= 190 && fair() < 1500, String(took));
    const { code, message, timestamp, details } = answer.payload as Record<string, unknown>;
    assert.equal(code, 'request_timeout');
    assert.equal(message, 'The request was not answered in time.');
    assert.ok(Math.abs(Date.parse(String(timestamp)) - Date.now()) < 60_000);
    assert.equal(typeof details, 'object');
    assert.equal(errorCode(await requester.ask('nobody.here')), 'no_subscriber');
  });

  it('[WS-4] late, repeated and foreign responses are dropped', async () => {
    const [requester, responder, foreign] = await Promise.all([
      rig.connect(rig.one),
      rig.connect(rig.two),
      rig.connect(rig.two),
    ]);
    await responder.subscribe('answers', 'request');
    const late = await requester.ask('answers', 'late', { timeout: 150 });
    assert.equal(errorCode(late), 'request_timeout');
    const lateId = late.header.parentRequestId;
    responder.send({ action: 'response', topic: 'answers', parentRequestId: lateId }, 'too late');

    const id = requester.send({ action: 'request', topic: 'answers' }, 'now');
    await responder.next(({ payload }) => payload === 'now');
    foreign.send({ action: 'response', topic: 'answers', parentRequestId: id }, 'forged');
    requester.send({ action: 'response', topic: 'answers', parentRequestId: id }, 'my own');
    await Promise.all([foreign.ask('system.heartbeat'), requester.ask('system.heartbeat')]);
    for (const text of ['first', 'second']) {
      responder.send({ action: 'response', topic: 'answers', parentRequestId: id }, text);
    }
    await requester.next(({ payload }) => payload === 'first');
    await responder.ask('system.heartbeat');
    await requester.ask('system.heartbeat');
    const answers = requester.frames.filter(
      ({ header }) => header.parentRequestId === id || header.parentRequestId === lateId,
    );
    assert.deepEqual(answers.map(({ payload }) => payload).slice(1), ['first']);
  });

  it('[WS-4] who waits is told when the subscriber leaves without an answer', async () => {
    const [requester, responder] = await Promise.all([rig.connect(rig.one), rig.connect(rig.two)]);
    await responder.subscribe('leaving', 'request');
    const answer = requester.ask('leaving');
    await responder.next(({ header }) => header.action === 'request');
    await responder.close();
    // And not when the time for it is over, which would be `request_timeout`.
    assert.equal(errorCode(await answer), 'no_subscriber');
  });

  it('[WS-4] open requests are bounded, and ids are used once', async () => {
    const [requester, silent] = await Promise.all([rig.connect(rig.one), rig.connect(rig.two)]);
    await silent.subscribe('full', 'request');
    const id = randomUUID();
    for (const _ of [1, 2])
      requester.send({ action: 'request', topic: 'full', requestId: id, timeout: OPEN_MS });
    const refused = await requester.next(({ header }) => header.parentRequestId === id);
    assert.equal(errorCode(refused), 'invalid_request');
    for (let n = 0; n < 300; n += 1) requester.send({ action: 'request', topic: 'full', timeout: OPEN_MS });
    await until(() => requester.frames.filter((frame) => errorCode(frame) === 'rate_limited').length === 45);
    await until(
      () => requester.frames.filter((frame) => errorCode(frame) === 'request_timeout').length === 256,
    );
  });
});
