import assert from 'node:assert/strict';
import { changesBetween, createMessageLog } from '../../../server/status/transitions.ts';
import { readMessage, type SystemdMessage } from '../../../server/status/watcher.ts';
import type { UnitStatus } from '../../../shared/node-status.ts';

const known = (...units: UnitStatus[]) => new Map(units.map((unit) => [unit.service, unit]));

describe('status changes', () => {
  it('are the differences of the words', () => {
    const before = known(
      { service: 'a', status: 'active' },
      { service: 'b', status: 'active' },
      { service: 'c', status: 'not_installed' },
    );
    assert.deepEqual(
      changesBetween(before, [
        { service: 'a', status: 'active' },
        { service: 'b', status: 'failed' },
        { service: 'c', status: 'inactive' },
        { service: 'd', status: 'failed' },
      ]),
      [
        { service: 'b', from: 'active', to: 'failed' },
        { service: 'c', from: 'not_installed', to: 'inactive' },
      ],
    );
  });

  it('a unit that cannot be asked has not changed', () => {
    assert.deepEqual(
      changesBetween(known({ service: 'a', status: 'active' }), [{ service: 'a', status: 'unknown' }]),
      [],
    );
  });

  it('a restart between two looks is one', () => {
    const before = {
      service: 'a',
      status: 'active',
      pid: 5,
      restarts: 1,
      since: '2026-01-01T00:00:00.000Z',
    } as const;
    const restarted = changesBetween(known(before), [{ ...before, pid: 9, restarts: 2 }]);
    assert.deepEqual(restarted, [{ service: 'a', from: 'active', to: 'active' }]);
    const byHand = changesBetween(known(before), [{ ...before, pid: 9, since: '2026-01-01T00:00:07.000Z' }]);
    assert.equal(byHand.length, 1);
    // A main process may change hands without a restart, as nginx's does at an upgrade.
    assert.deepEqual(changesBetween(known(before), [{ ...before, pid: 9, memoryBytes: 5 }]), []);
  });
});

describe('messages of systemd', () => {
  const record = (message: string, extra: Record<string, string>) => ({
    realtimeUs: 1_795_233_911_800_955,
    message,
    extra,
  });

  it('are read with the unit they are about', () => {
    const exited = record('execution.service: Main process exited, code=exited, status=3/NOTIMPLEMENTED', {
      UNIT: 'execution.service',
      MESSAGE_ID: '98e322203f7a4ed290d09fe03c09fe15',
    });
    assert.deepEqual(readMessage(exited), {
      service: 'execution',
      messageId: '98e322203f7a4ed290d09fe03c09fe15',
      text: 'Main process exited, code=exited, status=3/NOTIMPLEMENTED',
      at: 1_795_233_911_800,
    });
    const stopped = record('Stopped consensus.service - Lighthouse.', {
      UNIT: 'consensus.service',
      JOB_RESULT: 'done',
    });
    assert.equal(readMessage(stopped)?.jobResult, 'done');
  });

  it('other talk of the manager is no news, a reload of the unit files is', () => {
    assert.equal(readMessage(record('Startup finished in 172ms.', {})), null);
    assert.equal(readMessage(record('Reloading.', {}))?.service, null);
  });

  const message = (messageId: string, text: string, at = 0): SystemdMessage => ({
    service: 'a',
    messageId,
    text,
    at,
  });

  it('the most telling one is the cause', () => {
    const log = createMessageLog();
    log.add(message('98e322203f7a4ed290d09fe03c09fe15', 'Main process exited, status=3'));
    log.add(message('d9b373ed55a64feb8242e02dbe79a49c', "Failed with result 'exit-code'."));
    log.add(message('5eb03494b6584870a536b337290809b3', 'Scheduled restart job.'));
    log.add(message('ae8f7b866b0347b9af31fe1c80b127c0', 'Consumed 5s CPU time.'));
    const cause = log.take({ service: 'a', from: 'active', to: 'activating' });
    assert.equal(cause?.text, 'Main process exited, status=3');
    assert.equal(log.take({ service: 'a', from: 'activating', to: 'active' }), null);
  });

  it('an unusual one is better than none, an old one is not', () => {
    const log = createMessageLog();
    log.add(message('39f53479d3a045ac8e11786248231fbf', 'Started.', 0));
    log.add(message('', 'Something new.', 120_000));
    assert.equal(log.take({ service: 'a', from: 'failed', to: 'active' })?.text, 'Something new.');
  });
});
