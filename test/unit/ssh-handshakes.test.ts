import assert from 'node:assert/strict';
import { createHandshakeGate, type HandshakeGate, keepsScore } from '../../server/ssh/handshakes.ts';
import { DEFAULT_LIMITS } from '../../server/ssh/limits.ts';
import { codeOf } from '../support/ssh.ts';
import { startStopwatch } from '../support/stopwatch.ts';
import { until } from '../support/until.ts';

const OLD = 'OpenSSH_9.2p1';
const NEW = 'OpenSSH_9.9p1';

type Leave = Awaited<ReturnType<HandshakeGate['enter']>>;

/** Enters so many times; `inside` fills as they are let in. */
function enter(gate: HandshakeGate, count: number, proven = false, host = 'a'): Leave[] {
  const inside: Leave[] = [];
  for (let index = 0; index < count; index += 1) {
    gate.enter(host, { proven }).then(
      (leave) => inside.push(leave),
      () => {},
    );
  }
  return inside;
}

describe('SSH handshake gate', () => {
  const limits = { ...DEFAULT_LIMITS, handshakeQueue: 6 };

  it('lets 4 at once to a host, 2 of them unproven, and other hosts beside it', async () => {
    const gate = createHandshakeGate(limits);
    const unproven = enter(gate, 3);
    const proven = enter(gate, 3, true);
    const elsewhere = enter(gate, 1, false, 'b');
    await until(() => unproven.length === 2 && proven.length === 2 && elsewhere.length === 1);
    unproven[0]?.('done', OLD);
    await until(() => unproven.length + proven.length === 5);
    unproven[1]?.('done', OLD);
    await until(() => unproven.length + proven.length === 6);
  });

  it('counts a turn back once, however often it is given back', async () => {
    const gate = createHandshakeGate(limits);
    const inside = enter(gate, 4);
    await until(() => inside.length === 2);
    inside[0]?.('done', OLD);
    inside[0]?.('done', OLD);
    await until(() => inside.length === 3);
    await new Promise((resolve) => setTimeout(resolve, 60));
    assert.equal(inside.length, 3);
    inside[1]?.('done', OLD);
    await until(() => inside.length === 4);
  });

  it('refuses beyond the queue at once, and what waited too long', async () => {
    const gate = createHandshakeGate({ ...limits, handshakeWaitMs: 100 });
    const inside = enter(gate, 2);
    let given = 0;
    const waiting = Array.from({ length: 6 }, async () => {
      const code = await codeOf(gate.enter('a', { proven: false }));
      given += 1;
      return code;
    });
    assert.equal(await codeOf(gate.enter('a', { proven: false })), 'ssh_busy');
    assert.equal(given, 0, 'at once, not when the time of those before it is over');
    assert.deepEqual(new Set(await Promise.all(waiting)), new Set(['ssh_busy']));
    assert.equal(inside.length, 2);
    inside[0]?.('done', OLD);
    (await gate.enter('a', { proven: false }))('done', OLD);
  });

  it('forgets who aborts while waiting', async () => {
    const gate = createHandshakeGate(limits);
    const inside = enter(gate, 2);
    const abort = new AbortController();
    const waiting = codeOf(gate.enter('a', { proven: false, signal: abort.signal }));
    abort.abort();
    assert.equal(await waiting, 'ssh_closed');
    assert.equal(await codeOf(gate.enter('a', { proven: false, signal: abort.signal })), 'ssh_closed');
    inside[0]?.('done', OLD);
    (await gate.enter('a', { proven: false }))('done', OLD);
  });

  it('[S17] stays below what OpenSSH 9.8 and later punish, also with many wrong passwords at once', async () => {
    const scale = { authFailureMs: 50, authFailureBudgetMs: 100, handshakeWaitMs: 5000, handshakeQueue: 64 };
    const gate = createHandshakeGate({ ...DEFAULT_LIMITS, ...scale });
    // The host's side: 50 ms per failure, refused from 150 ms on.
    let penalty = 0;
    let at = performance.now();
    let worst = 0;
    const attempts = Array.from({ length: 8 }, async () => {
      const leave = await gate.enter('a', { proven: false });
      await new Promise((resolve) => setTimeout(resolve, 5));
      const now = performance.now();
      penalty = Math.max(0, penalty - (now - at)) + scale.authFailureMs;
      at = now;
      worst = Math.max(worst, penalty);
      leave('auth_failed', NEW);
    });
    await until(() => worst > 0);
    // A credential known to be right is not held up: it is in before any timer runs.
    let isIn = false;
    void gate.enter('a', { proven: true }).then((leave) => {
      isIn = true;
      leave('done', NEW);
    });
    await new Promise((resolve) => setImmediate(resolve));
    assert.ok(isIn);
    await Promise.all(attempts);
    assert.ok(worst < 150, `${worst} ms of penalty`);
    // It did use its budget: two failures directly one after the other.
    assert.ok(worst > 60, `${worst} ms of penalty`);
  });

  it('does not slow down hosts that keep no score', async () => {
    const gate = createHandshakeGate(DEFAULT_LIMITS);
    const took = startStopwatch();
    for (let turn = 0; turn < 5; turn += 1) (await gate.enter('a', { proven: false }))('auth_failed', OLD);
    assert.ok(took() < 1000);
    assert.deepEqual(
      ['OpenSSH_9.7p1', 'OpenSSH_9.8', 'OpenSSH_10.0p2', 'dropbear_2024.86', ''].map(keepsScore),
      [false, true, true, false, false],
    );
  });
});
