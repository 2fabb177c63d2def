import assert from 'node:assert/strict';
import { type Counters, describeCounters, leftBehind } from '../../../scripts/chaos/counters.ts';

describe('the standing counters of a chaos run', () => {
  const before: Counters = {
    shared: { journalctl: 0, leases: 0, 'sshd processes': 2 },
    instances: [
      { fds: 30, timers: 3, 'ssh connections': 1 },
      { fds: 32, timers: 2, 'ssh connections': 0 },
    ],
  };

  it('finds nothing where only what comes and goes has changed', () => {
    const after = {
      ...before,
      instances: [
        { fds: 42, 'ssh connections': 0 },
        { fds: 12, timers: 12 },
      ],
    };
    assert.deepEqual(leftBehind(before, after, { idle: true }), []);
  });

  it('finds what was left in an instance, on the hosts, in Redis', () => {
    const after: Counters = {
      shared: { journalctl: 1, leases: 2, 'sshd processes': 6 },
      instances: [
        { fds: 43, timers: 3 },
        { fds: 30, timers: 14, 'ssh connections': 2 },
      ],
    };
    assert.deepEqual(leftBehind(before, after, { idle: true }), [
      '1 more journalctl',
      '4 more sshd processes',
      '2 more leases',
      '11 more fds in instance 1',
      '11 more timers in instance 2',
      '1 more ssh connections in instance 2',
    ]);
    assert.deepEqual(leftBehind(before, after, { idle: false }), [
      '1 more journalctl',
      '2 more leases',
      '11 more fds in instance 1',
      '11 more timers in instance 2',
    ]);
    assert.match(describeCounters(before, after), /^journalctl 0→1, .*fds 30 32→43 30, /);
  });
});
