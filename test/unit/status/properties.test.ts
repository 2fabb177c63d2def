import assert from 'node:assert/strict';
import fc from 'fast-check';
import { clientName } from '../../../server/status/client-name.ts';
import { parseTimestamp, parseUnits } from '../../../server/status/properties.ts';

/** Printed by systemd 252 for a running, a stopped, a failed, a restarting, an aliased and a missing unit. */
const PRINTED = `MainPID=29
Result=success
NRestarts=2
ExecMainCode=0
ExecMainStatus=0
MemoryCurrent=104857600
CPUUsageNSec=1500000000
Id=execution.service
Names=execution.service
Description=Geth Execution Layer Client service for Mainnet
LoadState=loaded
ActiveState=active
SubState=running
StateChangeTimestamp=@1795233999
ActiveEnterTimestamp=@1795233911
InactiveEnterTimestamp=

MainPID=0
Result=success
NRestarts=0
ExecMainCode=2
ExecMainStatus=15
MemoryCurrent=[not set]
CPUUsageNSec=[not set]
Id=consensus.service
Names=consensus.service
Description=Lighthouse Consensus Layer Client service for Mainnet
LoadState=loaded
ActiveState=inactive
SubState=dead
StateChangeTimestamp=@1795233911
ActiveEnterTimestamp=@1795233900
InactiveEnterTimestamp=@1795233911

MainPID=0
Result=exit-code
NRestarts=0
ExecMainCode=1
ExecMainStatus=3
MemoryCurrent=18446744073709551615
CPUUsageNSec=18446744073709551615
Id=charon.service
Names=charon.service
Description=Charon Distributed Validator service
LoadState=loaded
ActiveState=failed
SubState=failed
StateChangeTimestamp=Sat 2026-11-21 04:05:11 UTC
ActiveEnterTimestamp=Sat 2026-11-21 04:05:10 UTC
InactiveEnterTimestamp=Sat 2026-11-21 04:05:11 UTC

MainPID=0
Result=exit-code
NRestarts=7
ExecMainCode=1
ExecMainStatus=3
MemoryCurrent=[not set]
CPUUsageNSec=[not set]
Id=validator.service
Names=validator.service
Description=Lighthouse Validator Client service for Mainnet
LoadState=loaded
ActiveState=activating
SubState=auto-restart
StateChangeTimestamp=@1795233912
ActiveEnterTimestamp=@1795233900
InactiveEnterTimestamp=@1795233911

MainPID=33
Result=success
NRestarts=0
ExecMainCode=0
ExecMainStatus=0
MemoryCurrent=[not set]
CPUUsageNSec=[not set]
Id=ssh.service
Names=ssh.service sshd.service
Description=OpenBSD Secure Shell server
LoadState=loaded
ActiveState=active
SubState=running
StateChangeTimestamp=@1795233911
ActiveEnterTimestamp=@1795233911
InactiveEnterTimestamp=

MainPID=0
Result=success
NRestarts=0
ExecMainCode=0
ExecMainStatus=0
MemoryCurrent=[not set]
CPUUsageNSec=[not set]
Id=mevboost.service
Names=mevboost.service
Description=mevboost.service
LoadState=not-found
ActiveState=inactive
SubState=dead
StateChangeTimestamp=
ActiveEnterTimestamp=
InactiveEnterTimestamp=

Result=success
Id=dbus.socket
Names=dbus.socket
Description=D-Bus System Message Bus Socket
LoadState=loaded
ActiveState=active
SubState=running
StateChangeTimestamp=@1795233911
ActiveEnterTimestamp=@1795233911
InactiveEnterTimestamp=
`;

/** A unit with everything at its plainest but for what a test is about. */
function unit(properties: Record<string, string>) {
  const block = {
    Id: 'x.service',
    LoadState: 'loaded',
    ActiveState: 'active',
    SubState: 'running',
    ...properties,
  };
  const [status] = parseUnits(
    Object.entries(block)
      .map(([key, value]) => `${key}=${value}`)
      .join('\n'),
    ['x'],
  );
  assert.ok(status);
  return status;
}

describe('unit properties', () => {
  it('[SIO-6] a running unit has its facts', () => {
    assert.deepEqual(parseUnits(PRINTED, ['execution']), [
      {
        service: 'execution',
        status: 'active',
        subState: 'running',
        description: 'Geth Execution Layer Client service for Mainnet',
        since: '2026-11-21T04:05:11.000Z',
        pid: 29,
        restarts: 2,
        memoryBytes: 104_857_600,
        cpuNsec: 1_500_000_000,
        result: 'success',
        client: 'geth',
      },
    ]);
  });

  it('[SIO-6] each state is one word, in the order asked for', () => {
    const services = [
      'mevboost',
      'validator',
      'charon',
      'consensus',
      'execution',
      'sshd',
      'dbus.socket',
      'never-said',
    ];
    assert.deepEqual(
      parseUnits(PRINTED, services).map(({ service, status }) => `${service} ${status}`),
      [
        'mevboost not_installed',
        'validator activating',
        'charon failed',
        'consensus inactive',
        'execution active',
        'sshd active',
        'dbus.socket active',
        'never-said unknown',
      ],
    );
  });

  it('a missing unit has nothing but its word', () => {
    assert.deepEqual(parseUnits(PRINTED, ['mevboost']), [{ service: 'mevboost', status: 'not_installed' }]);
  });

  it('says how a unit ended: its exit code, none after a signal, and since when', () => {
    const [charon, consensus, validator] = parseUnits(PRINTED, ['charon', 'consensus', 'validator']);
    assert.equal(charon?.exitCode, 3);
    assert.equal(charon?.result, 'exit-code');
    assert.equal(charon?.since, '2026-11-21T04:05:11.000Z');
    assert.equal('pid' in (charon ?? {}), false);
    assert.equal('exitCode' in (consensus ?? {}), false);
    assert.equal(consensus?.since, '2026-11-21T04:05:11.000Z');
    assert.equal(validator?.restarts, 7);
    assert.equal(validator?.since, '2026-11-21T04:05:12.000Z');
  });

  it('leaves out what systemd does not know', () => {
    const [consensus, charon] = parseUnits(PRINTED, ['consensus', 'charon']);
    for (const status of [consensus, charon]) {
      assert.equal('memoryBytes' in (status ?? {}), false);
      assert.equal('cpuNsec' in (status ?? {}), false);
    }
  });

  it('a masked unit is inactive, and its sub-state says why', () => {
    const status = unit({ LoadState: 'masked', ActiveState: 'inactive', SubState: 'dead' });
    assert.equal(status.status, 'inactive');
    assert.equal(status.subState, 'masked');
    assert.equal(unit({ LoadState: 'masked' }).status, 'active');
    assert.equal(unit({ LoadState: 'masked' }).subState, 'running');
  });

  it('a unit that runs although its file is gone still runs', () => {
    assert.equal(unit({ LoadState: 'not-found' }).status, 'active');
    assert.equal(unit({ LoadState: 'not-found', ActiveState: 'failed' }).status, 'not_installed');
  });

  it('knows the states of newer systemds, and no other word passes', () => {
    assert.equal(unit({ ActiveState: 'reloading' }).status, 'reloading');
    assert.equal(unit({ ActiveState: 'refreshing' }).status, 'reloading');
    assert.equal(unit({ ActiveState: 'maintenance' }).status, 'inactive');
    assert.equal(unit({ ActiveState: 'sparkling' }).status, 'unknown');
    assert.equal(unit({ ActiveState: 'constructor' }).status, 'unknown');
  });

  it('any output and any names give one status each', () => {
    fc.assert(
      fc.property(fc.string(), fc.array(fc.string({ maxLength: 5 }), { maxLength: 4 }), (output, names) => {
        assert.deepEqual(
          parseUnits(output, names).map(({ service }) => service),
          names,
        );
      }),
    );
  });
});

describe('timestamps of systemctl', () => {
  it('reads both forms, and nothing else', () => {
    assert.equal(parseTimestamp('@1700000000'), '2023-11-14T22:13:20.000Z');
    assert.equal(parseTimestamp('Tue 2023-11-14 22:13:20 UTC'), '2023-11-14T22:13:20.000Z');
    for (const text of [
      '',
      'n/a',
      '0',
      '@0',
      'Tue 2023-11-14 22:13:20 CET',
      'Tue 2023-99-14 22:13:20 UTC',
      '@x',
      undefined,
    ]) {
      assert.equal(parseTimestamp(text), undefined, String(text));
    }
  });
});

describe('client name', () => {
  const cases: [description: string, client: string | undefined][] = [
    ['Geth Execution Layer Client service for MAINNET', 'geth'],
    ['Nimbus Beacon Node Consensus Client service for Mainnet', 'nimbus'],
    ['Lodestar validator Client service for Hoodi', 'lodestar'],
    ['MEV-Boost Service for MAINNET', 'mev-boost'],
    ['Mevboost (Relay)', 'mev-boost'],
    ['Integrated Execution-Consensus Client Erigon-Caplin', 'erigon'],
    ['Integrated Execution-Consensus Client', undefined],
    ['Charon Distributed Validator service', 'charon'],
    ['OpenBSD Secure Shell server', undefined],
    ['constructor', undefined],
    ['', undefined],
  ];
  for (const [description, client] of cases) {
    it(`${description || 'nothing'} -> ${client}`, () => assert.equal(clientName(description), client));
  }
});
