import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { replaceBlock } from '../../../scripts/doc-blocks.ts';
import { errorTable, eventTable } from '../../../scripts/doc-tables.ts';
import { envExample, loadConfig } from '../../../server/config.ts';
import { SETTINGS, type Setting } from '../../../server/settings.ts';
import { ERRORS } from '../../../shared/errors.ts';

describe('documents', () => {
  it('[ENV-1] .env.example lists every variable with its default and meaning', () => {
    const text = readFileSync('.env.example', 'utf8');
    assert.equal(text, envExample());
    for (const row of Object.values<Setting<unknown>>(SETTINGS)) {
      assert.ok(text.includes(`\n#${row.name}=${row.default ?? ''}\n`), row.name);
      assert.ok(text.includes(`# ${row.doc}`), row.name);
    }
  });

  it('[ENV-1] .env.example is a valid configuration as it stands, with its comment signs removed', () => {
    const lines = envExample().matchAll(/^#([A-Z_]+)=(.*)$/gm);
    const result = loadConfig(Object.fromEntries([...lines].map(([, name, value]) => [name, value])));
    assert.ok(result.ok, result.ok ? '' : result.problems.join('\n'));
  });

  it('[SIO-7] the table of errors has every code', () => {
    for (const code of Object.keys(ERRORS))
      assert.match(errorTable(), new RegExp(`^\\| \`${code}\` +\\|`, 'm'));
  });

  it('reads the events of a typed map, and complains about what it cannot read', () => {
    const source =
      'export interface Map {\n  /** Says a. */\n  a: (x: string, ack?: (ok: boolean) => void) => void;\n  b: () => void;\n}\n';
    const [, , first = '', second = ''] = eventTable(source, 'Map').split('\n');
    assert.match(first, /^\| `a` +\| `x: string, ack\?: \(ok: boolean\) => void` \|$/);
    assert.match(second, /^\| `b` +\| - +\|$/);
    assert.throws(() => eventTable('export interface Map {\n  a: string;\n}\n', 'Map'), /cannot read/);
    assert.throws(() => eventTable(source, 'Other'), /no interface/);
  });

  it('replaces what stands between markers, taking $ literally', () => {
    const text = 'a\n<!-- x:begin generated -->\nold\n<!-- x:end -->\nb';
    assert.equal(
      replaceBlock(text, 'x', "$& '$1'"),
      "a\n<!-- x:begin generated -->\n\n$& '$1'\n\n<!-- x:end -->\nb",
    );
    assert.throws(() => replaceBlock(text, 'y', ''), /no block/);
  });
});
