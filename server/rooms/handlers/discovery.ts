import { readdir } from 'node:fs/promises';
import path from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { runForeign } from '../../core/foreign-code.ts';
import type { Logger } from '../../core/types.ts';
import { isReservedPath } from '../reserved-names.ts';
import { isReserved, isRoomName } from '../room-name.ts';
import { type AnyHandler, within } from './hooks.ts';

/** Time for one module to load, in ms. */
const LOAD_MS = 5000;
/** Handlers taken from one directory. */
const HANDLERS_MAX = 500;

/** The handlers that come with the product. */
export const BUILT_IN_DIR = fileURLToPath(new URL('./built-in/', import.meta.url));
/** This file runs as it was written (tests, development) or compiled; so do the built-in handlers. */
const SOURCE = import.meta.url.endsWith('.ts');

export interface LoadedHandler {
  room: string;
  handler: AnyHandler;
  /** Where it comes from, for the log. */
  file: string;
  /** Whether it is the user's and not ours. */
  foreign: boolean;
}

/** Whether a file may be a handler's module: declarations, maps and tests lie beside compiled ones. */
function isModule(name: string): boolean {
  if (name.startsWith('.') || /\.(test|spec|d)\.[cm]?[jt]s$/.test(name)) return false;
  return /\.m?js$/.test(name) || (SOURCE && /\.m?ts$/.test(name));
}

/** The modules of a directory: its files, and the files of its folders, in the order of their names. */
async function listModules(dir: string): Promise<{ file: string; folder: string | null }[]> {
  const byName = (a: { name: string }, b: { name: string }) => (a.name < b.name ? -1 : 1);
  const found: { file: string; folder: string | null }[] = [];
  for (const entry of (await readdir(dir, { withFileTypes: true })).sort(byName)) {
    const at = path.join(dir, entry.name);
    if (entry.isDirectory() && !entry.name.startsWith('.') && entry.name !== 'node_modules') {
      const inside = (await readdir(at, { withFileTypes: true })).sort(byName);
      const modules = inside.filter((one) => !one.isDirectory() && isModule(one.name));
      // In a folder with helpers the handler is the one that says so.
      const named = modules.filter(({ name }) => /handler\.m?[jt]s$/i.test(name));
      for (const { name } of named.length > 0 ? named : modules) {
        found.push({ file: path.join(at, name), folder: entry.name });
      }
    } else if (!entry.isDirectory() && isModule(entry.name)) found.push({ file: at, folder: null });
  }
  return found;
}

/** `lobby/LobbyHandler.js`, `lobby.js`, `LobbyRoomHandler.js` and `lobby-room-handler.js` are all the room `lobby`. */
export function roomNameOf(file: string, folder: string | null): string {
  if (folder !== null) return folder;
  const base = path.basename(file).replace(/\.[^.]+$/, '');
  const short = base.replace(/[-_.]?(room)?[-_.]?handler$/i, '');
  return short === '' || short === base ? base : short.toLowerCase();
}

/** The default export, or else the only class that is called a handler. */
function pickClass(module: Record<string, unknown>): new (room: string) => AnyHandler {
  const named = Object.entries(module).filter(
    ([name, value]) => typeof value === 'function' && /Handler$/.test(name),
  );
  const picked = module.default ?? (named.length === 1 ? named[0]?.[1] : undefined);
  if (typeof picked !== 'function') throw new Error('has no default export that is a class');
  return picked as new (
    room: string,
  ) => AnyHandler;
}

async function load(
  file: string,
  folder: string | null,
  loadMs: number,
): Promise<Omit<LoadedHandler, 'foreign'>> {
  const module = (await within(import(pathToFileURL(file).href), loadMs, 'loading')) as Record<
    string,
    unknown
  >;
  const Handler = pickClass(module);
  const handler = new Handler(roomNameOf(file, folder));
  // A handler may give itself another name.
  const room = typeof handler.roomName === 'string' ? handler.roomName : roomNameOf(file, folder);
  if (!isRoomName(room)) throw new Error('has no valid room name');
  if (isReserved(room) || isReservedPath(room)) throw new Error(`the name ${room} is reserved`);
  return { room, handler, file };
}

/**
 * Loads the room handlers of directories; a later directory replaces rooms of an earlier one. A module that cannot be
 * loaded is reported and left out, and so is a directory that cannot be read.
 */
export async function discoverHandlers(deps: {
  dirs: readonly string[];
  logger: Logger;
  /** LOAD_MS, ms. */
  loadMs?: number;
}): Promise<LoadedHandler[]> {
  const { logger, loadMs = LOAD_MS } = deps;
  const byRoom = new Map<string, LoadedHandler & { dir: string }>();
  for (const dir of deps.dirs.map((one) => path.resolve(one))) {
    const foreign = dir !== path.resolve(BUILT_IN_DIR);
    const modules = await listModules(dir).catch((error: unknown) => {
      logger.error('Room handlers not read', { dir, reason: String(error) });
      return [];
    });
    if (modules.length > HANDLERS_MAX) logger.error('Too many room handlers', { dir, most: HANDLERS_MAX });
    for (const { file, folder } of modules.slice(0, HANDLERS_MAX)) {
      try {
        const work = () => load(file, folder, loadMs);
        const loaded = await (foreign ? runForeign(file, work) : work());
        const known = byRoom.get(loaded.room);
        if (known?.dir === dir)
          throw new Error(`the room ${loaded.room} has a handler already: ${known.file}`);
        if (known) logger.info('Room handler replaced', { room: loaded.room, file });
        byRoom.set(loaded.room, { ...loaded, foreign, dir });
      } catch (error) {
        logger.error('Room handler left out', { file, reason: String(error), error });
      }
    }
  }
  return [...byRoom.values()].map(({ dir: _dir, ...loaded }) => loaded);
}
