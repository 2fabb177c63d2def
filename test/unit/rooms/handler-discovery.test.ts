import assert from 'node:assert/strict';
import { readdirSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { BUILT_IN_DIR, discoverHandlers, roomNameOf } from '../../../server/rooms/handlers/discovery.ts';
import { isReservedPath } from '../../../server/rooms/reserved-names.ts';
import { createRecordLogger } from '../../support/record-logger.ts';
import { makeRoomsDir } from '../../support/rooms-dir.ts';

const base = pathToFileURL(
  fileURLToPath(new URL('../../../server/rooms/handlers/base-room-handler.ts', import.meta.url)),
).href;

async function discover(
  files: Record<string, string>,
  { builtIn = false, loadMs }: { builtIn?: boolean; loadMs?: number } = {},
) {
  const logger = createRecordLogger();
  const dirs = [...(builtIn ? [BUILT_IN_DIR] : []), makeRoomsDir(files)];
  const handlers = await discoverHandlers({ dirs, logger, ...(loadMs === undefined ? {} : { loadMs }) });
  return { rooms: handlers.map(({ room }) => room).sort(), handlers, log: logger.lines.join('\n') };
}

const PLAIN = 'export default class { constructor(room) { this.name = room; } }';

describe('discovery of room handlers', () => {
  it('[WS-2] finds radio and chat in the built-in directory', async () => {
    const { rooms, handlers, log } = await discover({}, { builtIn: true });
    assert.deepEqual(rooms, ['chat', 'radio']);
    assert.deepEqual(handlers.map(({ handler }) => handler.messageType).sort(), ['message', 'radio-content']);
    assert.equal(log, '');
  });

  it('[WS-2] finds files and folders of ROOMS_DIR, with the room that their name says', async () => {
    const { rooms, log } = await discover({
      'one.mjs': PLAIN,
      'TwoRoomHandler.mjs': PLAIN,
      'three/index.mjs': PLAIN,
      'myroom/MyRoomHandler.mjs': `import { BaseRoomHandler } from ${JSON.stringify(base)};
        export class MyRoomHandler extends BaseRoomHandler {}`,
      'myroom/helper.mjs': 'throw new Error("not a handler")',
      'own.mjs': `import { BaseRoomHandler } from ${JSON.stringify(base)};
        export default class extends BaseRoomHandler { constructor() { super("lobby"); } }`,
      'plain.js': PLAIN,
      'notes.txt': 'x',
      'types.d.ts': 'x',
      'one.test.mjs': 'throw new Error("a test")',
      '.hidden.mjs': 'throw new Error("hidden")',
      'node_modules/x/index.mjs': 'throw new Error("a library")',
    });
    assert.deepEqual(rooms, ['lobby', 'myroom', 'one', 'plain', 'three', 'two']);
    assert.equal(log, '');
  });

  it('[WS-2] reports what it leaves out, and takes the rest', async () => {
    const { rooms, log } = await discover({
      'good.mjs': PLAIN,
      'syntax.mjs': 'export default class {',
      'throws.mjs': 'throw new Error("at load")',
      'nothing.mjs': 'export const x = 1;',
      'constructs.mjs': 'export default class { constructor() { throw new Error("at birth"); } }',
      'health.mjs': PLAIN,
      'ws/index.mjs': PLAIN,
      'system.alerts.mjs': PLAIN,
      'good/index.mjs': PLAIN,
    });
    assert.deepEqual(rooms, ['good']);
    for (const file of ['syntax', 'throws', 'nothing', 'constructs', 'health', 'ws/index', 'system.alerts']) {
      assert.match(log, new RegExp(`error Room handler left out .*${file.replace('.', '\\.')}`), file);
    }
    assert.match(log, /has a handler already/);
  });

  it('[WS-2] a module that never finishes loading holds the start up for its time only', async () => {
    const files = { 'good.mjs': PLAIN, 'hangs.mjs': `await new Promise(() => {});` };
    const { rooms, log } = await discover(files, { loadMs: 1000 });
    assert.deepEqual(rooms, ['good']);
    assert.match(log, /left out .*hangs/);
  });

  it('[WS-2] reports a directory that cannot be read', async () => {
    const logger = createRecordLogger();
    const found = await discoverHandlers({ dirs: [BUILT_IN_DIR, '/nonexistent/rooms'], logger });
    assert.equal(found.length, 2);
    assert.match(logger.lines.join('\n'), /error Room handlers not read/);
  });

  it('[WS-2] a room of ROOMS_DIR replaces the built-in one', async () => {
    const { handlers, log } = await discover({ 'chat.mjs': PLAIN }, { builtIn: true });
    const chat = handlers.find(({ room }) => room === 'chat');
    assert.match(chat?.file ?? '', /tailwire-rooms-/);
    assert.match(log, /info Room handler replaced/);
  });

  it('[WS-2] names a room after its folder or its file', () => {
    for (const [file, folder, room] of [
      ['/d/myroom/MyRoomHandler.js', 'myroom', 'myroom'],
      ['/d/lobby.js', null, 'lobby'],
      ['/d/Lobby.js', null, 'Lobby'],
      ['/d/LobbyHandler.js', null, 'lobby'],
      ['/d/lobby-room-handler.mjs', null, 'lobby'],
      ['/d/RoomHandler.js', null, 'RoomHandler'],
    ] as const) {
      assert.equal(roomNameOf(file, folder), room);
    }
  });
});

describe('names that rooms cannot have in short', () => {
  it('[HTTP-1] every page and file of the dashboard, and every route, is among them', () => {
    const root = fileURLToPath(new URL('../../../dashboard/', import.meta.url));
    const pages = readdirSync(path.join(root, 'app'), { withFileTypes: true })
      .filter((entry) => entry.isDirectory() && !/^[([@]/.test(entry.name))
      .map(({ name }) => name);
    const files = readdirSync(path.join(root, 'public'));
    assert.ok(pages.length + files.length > 0);
    for (const name of [...pages, ...files, '_next', '.well-known', 'api', 'health', 'WS', 'Docs']) {
      assert.ok(isReservedPath(name), name);
    }
    for (const name of ['radio', 'chat', 'nodes', 'wss', 'apis']) assert.ok(!isReservedPath(name), name);
  });
});
