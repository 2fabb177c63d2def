import assert from 'node:assert/strict';
import { steadyNow } from '../../../server/core/steady-time.ts';
import { createHandshakeGate } from '../../../server/ssh/handshakes.ts';
import { DEFAULT_LIMITS } from '../../../server/ssh/limits.ts';
import { systemClock } from '../../../server/status/clock.ts';

const HOUR_MS = 3_600_000;
const LIMITS = { ...DEFAULT_LIMITS, handshakeWaitMs: 200 };

describe('time for deadlines and pauses', () => {
  const wallClock = Date.now;
  afterEach(() => {
    Date.now = wallClock;
  });
  const setClock = (ms: number) => {
    Date.now = () => wallClock() + ms;
  };

  it('is the wall clock’s as long as nobody sets that', () => {
    assert.ok(Math.abs(steadyNow() - Date.now()) < 1000);
    assert.ok(Number.isInteger(steadyNow()));
  });

  for (const ms of [-HOUR_MS, HOUR_MS]) {
    it(`[R14] goes on evenly where the clock is set by ${ms / HOUR_MS} h`, () => {
      const before = [steadyNow(), systemClock.now()] as const;
      setClock(ms);
      for (const [n, now] of [steadyNow(), systemClock.now()].entries()) {
        const passed = now - (before[n] ?? 0);
        assert.ok(passed >= 0 && passed < 1000, `${passed} ms`);
      }
    });

    it(`[R14] a new login to a known host need not wait where the clock is set by ${ms / HOUR_MS} h`, async () => {
      const gate = createHandshakeGate(LIMITS);
      (await gate.enter('host', { proven: false }))('done', 'OpenSSH_9.9p1');
      setClock(ms);
      (await gate.enter('host', { proven: false }))('done', 'OpenSSH_9.9p1');
    });
  }
});
