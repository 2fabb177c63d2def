import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';

const NAMES = ['sink', 'storm-clients', 'peer-server', 'room-peer'] as const;

/** Inside the project, where they find its packages. */
const FOLDER = fileURLToPath(new URL('../../.cache/bench', import.meta.url));

/** A program that benches start as a process of its own, once `buildPrograms` has run. */
export const programPath = (name: (typeof NAMES)[number]): string => join(FOLDER, `${name}.mjs`);

/** Makes plain JavaScript of them: they start at once, and no loader runs beside what is measured. */
export async function buildPrograms(): Promise<void> {
  await build({
    entryPoints: NAMES.map((name) => fileURLToPath(new URL(`./${name}.ts`, import.meta.url))),
    outdir: FOLDER,
    outExtension: { '.js': '.mjs' },
    bundle: true,
    packages: 'external',
    platform: 'node',
    format: 'esm',
    target: 'node20',
    logLevel: 'error',
  });
}
