import assert from 'node:assert/strict';
import { type JournalQuery, journalctl, lacksPermission } from '../../../server/logs/journal/commands.ts';

const FIELDS = '--output-fields=MESSAGE,PRIORITY,_PID,SYSLOG_IDENTIFIER';
const BASE = ['journalctl', '--no-pager', '--output=export', FIELDS];
const unit = { unit: 'execution' };
const US = 1_767_225_600_000_042;

const table: [string, JournalQuery, string[]][] = [
  ['the newest lines', { source: unit, start: { lines: 50 } }, ['--unit=execution.service', '--lines=50']],
  [
    'the newest lines and what follows',
    { source: unit, start: { lines: 200 }, follow: true },
    ['--unit=execution.service', '--follow', '--lines=200'],
  ],
  [
    'everything behind a cursor, inclusive',
    { source: unit, start: { cursor: 's=1;i=2' } },
    ['--unit=execution.service', '--cursor=s=1;i=2'],
  ],
  [
    'a follow from a cursor, which needs --no-tail',
    { source: unit, start: { cursor: 's=1;i=2' }, follow: true },
    ['--unit=execution.service', '--follow', '--no-tail', '--cursor=s=1;i=2'],
  ],
  [
    'a span of time to the microsecond',
    { source: unit, start: { since: US }, untilUs: US + 958 },
    ['--unit=execution.service', '--since=@1767225600.000042', '--until=@1767225600.001000'],
  ],
  ['everything', { source: unit, start: {} }, ['--unit=execution.service']],
  [
    'backwards from a cursor',
    { source: { unit: 'a@b.socket' }, start: { cursor: 'c' }, reverse: true },
    ['--unit=a@b.socket', '--cursor=c', '--reverse'],
  ],
];

describe('journalctl commands', () => {
  for (const [title, query, expected] of table) {
    it(title, () => assert.deepEqual(journalctl(query), [...BASE, ...expected]));
  }

  it('matches of the host’s whole journal stand last, with their fields', () => {
    const source = { matches: ['_PID=1', 'UNIT=a.service'], fields: ['UNIT', 'JOB_RESULT'] };
    assert.deepEqual(journalctl({ source, start: { lines: 0 }, follow: true }), [
      ...BASE.slice(0, -1),
      `${FIELDS},UNIT,JOB_RESULT`,
      '--follow',
      '--lines=0',
      '_PID=1',
      'UNIT=a.service',
    ]);
  });

  it('[LOG-2] never uses --after-cursor, which skips lines', () => {
    for (const [, query] of table)
      assert.ok(!journalctl(query).some((word) => word.includes('after-cursor')));
  });

  it('[LOG-7] knows the ways journalctl says that the user may not read', () => {
    for (const stderr of [
      'Hint: You are currently not seeing messages from other users and the system.',
      'No journal files were opened due to insufficient permissions.',
      'Failed to open journal: Permission denied',
    ])
      assert.ok(lacksPermission(stderr));
    for (const stderr of ['', 'No journal files were found.', '-- No entries --'])
      assert.ok(!lacksPermission(stderr));
  });
});
