import assert from 'node:assert/strict';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { checkImports } from '../../../scripts/import-check.ts';
import { arrowTable, PLACES } from '../../../scripts/import-rules.ts';
import { importsOf } from '../../../scripts/source-imports.ts';

describe('import check', () => {
  let root: string;
  beforeEach(async () => {
    root = await mkdtemp(path.join(tmpdir(), 'tailwire-imports-'));
  });
  afterEach(() => rm(root, { recursive: true, force: true }));

  async function faultsOf(files: Record<string, string>): Promise<string[]> {
    for (const [file, text] of Object.entries(files)) {
      await mkdir(path.dirname(path.join(root, file)), { recursive: true });
      await writeFile(path.join(root, file), text);
    }
    return checkImports(root);
  }

  it('lets imports along the arrows pass', async () => {
    const faults = await faultsOf({
      'shared/errors.ts': "import { z } from 'zod';\nexport const e = z;\n",
      'server/core/errors.ts':
        "import { readFileSync } from 'node:fs';\nimport { e } from '../../shared/errors.ts';\n",
      'server/ssh/pool.ts': "import type { E } from '../core/errors.ts';\n",
      'server/logs/reader.ts': "import { pool } from '../ssh/pool.ts';\n",
      'server/http/app.ts': "import express from 'express';\nimport { reader } from '../logs/reader.ts';\n",
      'server/app.ts': "import { app } from './http/app.ts';\n",
      'client/react/use.ts': "import { useRef } from 'react';\nimport { c } from '../index.ts';\n",
      'client/index.ts':
        "import { io } from 'socket.io-client';\nimport type { e } from '../shared/errors.ts';\n",
      'dashboard/app/page.tsx': "import { use } from 'tailwire/react';\nimport './globals.css';\n",
      'test/unit/a.test.ts':
        "import { app } from '../../server/http/app.ts';\nimport { io } from 'socket.io-client';\n",
    });
    assert.deepEqual(faults, []);
  });

  const wrong: [string, Record<string, string>, RegExp][] = [
    [
      'an upward import',
      { 'server/ssh/pool.ts': "import type { R } from '../logs/reader.ts';\n" },
      /server\/ssh\/pool\.ts imports server\/logs\/reader\.ts.*only from .*server\/core/,
    ],
    [
      'a neighbour in the same row',
      { 'server/http/a.ts': "import { b } from '../socketio/b.ts';\n" },
      /server\/http may import only from/,
    ],
    [
      'server from client',
      { 'client/a.ts': "export { b } from '../server/core/b.ts';\n" },
      /client may import only from shared/,
    ],
    ['client from server', { 'server/app.ts': "const b = await import('../client/b.ts');\n" }, /server\/app/],
    [
      'anything of ours from shared',
      { 'shared/a.ts': "import type {\n  B,\n} from '../server/core/b.ts';\n" },
      /nothing of ours/,
    ],
    [
      'app from below',
      { 'server/http/a.ts': "import '../app.ts';\n" },
      /server\/http\/a\.ts imports server\/app\.ts/,
    ],
    ['Node in shared', { 'shared/a.ts': "import fs from 'node:fs';\n" }, /browsers/],
    ['Node in the client', { 'client/a.ts': "import fs from 'node:fs';\n" }, /browsers/],
    [
      'a library away from home',
      { 'server/logs/a.ts': "import { Client } from 'ssh2';\n" },
      /ssh2, whose home is server\/ssh\/connection\.ts/,
    ],
    [
      'a library without a home',
      { 'server/logs/a.ts': "import _ from 'lodash/fp';\n" },
      /lodash, which has no home/,
    ],
    ['a folder without a place', { 'server/misc/a.ts': "import '../core/b.ts';\n" }, /no known place/],
    ['process.env', { 'server/core/a.ts': 'export const a = process.env.PORT;\n' }, /settings\.ts/],
    ['a long file', { 'server/core/a.ts': 'export {};\n'.repeat(401) }, /401 lines/],
    [
      'a cycle of types',
      {
        'server/core/a.ts': "import type { B } from './b.ts';\n",
        'server/core/b.ts': "import type { A } from './a.ts';\n",
      },
      /a\.ts -> server\/core\/b\.ts -> server\/core\/a\.ts: a cycle/,
    ],
    [
      'a cycle of three',
      {
        'shared/a.ts': "import './b.ts';\n",
        'shared/b.ts': "export * from './c.ts';\n",
        'shared/c.ts': "import './a.ts';\n",
      },
      /shared\/a\.ts -> shared\/b\.ts -> shared\/c\.ts -> shared\/a\.ts/,
    ],
  ];
  for (const [what, files, message] of wrong) {
    it(`finds ${what}`, async () => {
      const faults = await faultsOf(files);
      assert.equal(faults.length, 1, faults.join('\n'));
      assert.match(faults[0] ?? '', message);
    });
  }

  it('knows every form of import, and leaves comments alone', () => {
    const text = `
/** import { no } from 'comment-1'; */
// import { no } from 'comment-2';
import a from 'a';
import { b,
  type B } from 'b';
import * as c from 'c';
import type { D } from 'd';
import 'e';
export * from 'f';
export { g } from 'g';
const h = await import('h');
const text = Array.from('not-this');
`;
    assert.deepEqual(importsOf(text).sort(), ['a', 'b', 'c', 'd', 'e', 'f', 'g', 'h']);
  });

  it('has a row for every place, each naming places that exist', () => {
    const names = new Set(PLACES.map(({ name }) => name));
    for (const { name, mayImport } of PLACES) {
      assert.match(arrowTable(), new RegExp(`^\\| \`${name}\` +\\|`, 'm'));
      if (mayImport !== '*')
        for (const other of mayImport) assert.ok(names.has(other), `${name} -> ${other}`);
    }
  });
});
