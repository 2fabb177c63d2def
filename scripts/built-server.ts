import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { run } from './lab/run.ts';

const ROOT = fileURLToPath(new URL('..', import.meta.url));
const BUILD_TIMEOUT_MS = 120_000;

/** The entry of a production server, once `buildServer` has run; in the folder that servers are started in. */
export const BUILT_SERVER = { main: 'dist/server/main.js', cwd: ROOT } as const;

/** Compiles of the server what has changed since, as `npm run build` does. */
export async function buildServer(): Promise<void> {
  await run(join(ROOT, 'node_modules/.bin/tsc'), ['-b', join(ROOT, 'server')], {
    timeoutMs: BUILD_TIMEOUT_MS,
  });
}
