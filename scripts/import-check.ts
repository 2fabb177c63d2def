import path from 'node:path';
import { ALIASES, ENV_READER, LIBRARY_HOMES, MAX_LINES, PLACES, type Place } from './import-rules.ts';
import { readSources, type SourceFile } from './source-imports.ts';

/**
 * Checks a source tree against `import-rules.ts`: arrows between places, homes of libraries, cycles, one reader of the
 * environment, file sizes.
 *
 * @returns one sentence for each fault, saying what to do instead
 */
export function checkImports(root: string): string[] {
  const sources = readSources(root);
  const known = new Set(sources.map(({ file }) => file));
  const graph = new Map<string, string[]>();
  const faults: string[] = [];
  for (const source of sources) {
    const place = placeOf(source.file);
    const targets: string[] = [];
    for (const name of source.imports) {
      const target = resolveImport(source.file, name);
      if (target === null) faults.push(...libraryFaults(source.file, place, name));
      else {
        const file = findFile(target, known);
        if (file !== null) targets.push(file);
        faults.push(...arrowFaults(source.file, place, file ?? target));
      }
    }
    graph.set(source.file, targets);
    faults.push(...fileFaults(source));
  }
  return [
    ...faults,
    ...cycles(graph).map(
      (files) => `${files.join(' -> ')}: a cycle. Move what both need into a file below them.`,
    ),
  ];
}

function placeOf(file: string): Place | undefined {
  return PLACES.find(({ paths }) => paths.some((prefix) => file.startsWith(prefix)));
}

/** A path from the root for imports of ours, `null` for libraries and Node modules. */
function resolveImport(file: string, name: string): string | null {
  if (name.startsWith('.')) return path.posix.join(path.posix.dirname(file), name);
  for (const [alias, target] of ALIASES) {
    if (name === alias) return target;
    if (alias.endsWith('/') && name.startsWith(alias)) return target + name.slice(alias.length);
  }
  return null;
}

function findFile(target: string, known: ReadonlySet<string>): string | null {
  const candidates = [target, `${target}.ts`, `${target}.tsx`, `${target}/index.ts`, `${target}/index.tsx`];
  return candidates.find((candidate) => known.has(candidate)) ?? null;
}

function arrowFaults(file: string, place: Place | undefined, target: string): string[] {
  if (place === undefined)
    return [`${file} lies in no known place. Give its folder a row in scripts/import-rules.ts.`];
  if (place.mayImport === '*') return [];
  const other = placeOf(target);
  if (other === place) return [];
  if (other !== undefined && place.mayImport.includes(other.name)) return [];
  if (other === undefined && /\.(css|json)$/.test(target)) return [];
  const allowed = place.mayImport.length > 0 ? `only from ${place.mayImport.join(', ')}` : 'nothing of ours';
  return [
    `${file} imports ${target}, but ${place.name} may import ${allowed}. ` +
      `Take it as an argument, or move what is shared down into one of those.`,
  ];
}

function libraryFaults(file: string, place: Place | undefined, name: string): string[] {
  if (place === undefined || place.name === 'scripts' || place.name === 'test') return [];
  if (name.startsWith('node:')) {
    return place.node
      ? []
      : [
          `${file} imports ${name}, but ${place.name} also runs in browsers. Do that in server/ and pass the result.`,
        ];
  }
  const library = name.startsWith('@') ? name.split('/').slice(0, 2).join('/') : (name.split('/')[0] ?? name);
  const homes = LIBRARY_HOMES[library];
  if (homes === '*' || place.name === 'dashboard settings') return [];
  if (homes === undefined)
    return [`${file} imports ${library}, which has no home. Choose one in scripts/import-rules.ts.`];
  if (homes.some((home) => file.startsWith(home))) return [];
  return [`${file} imports ${library}, whose home is ${homes.join(', ')}. Use what that exports instead.`];
}

function fileFaults({ file, text }: SourceFile): string[] {
  const faults: string[] = [];
  const lines = text.split('\n').length - 1;
  if (lines > MAX_LINES)
    faults.push(`${file} has ${lines} lines (at most ${MAX_LINES}). Is there a second noun inside?`);
  const reads = /\bprocess\.env\b/.test(text.replace(/\/\*[\s\S]*?\*\//g, '').replace(/\/\/.*$/gm, ''));
  if (reads && /^(server|client|shared)\//.test(file) && file !== ENV_READER) {
    faults.push(
      `${file} reads process.env. Add the variable to server/settings.ts and take the value as an argument.`,
    );
  }
  return faults;
}

/** Every strongly connected group of more than one file, as one path through it. */
function cycles(graph: ReadonlyMap<string, readonly string[]>): string[][] {
  const found: string[][] = [];
  const done = new Set<string>();
  const visit = (file: string, trail: string[]): void => {
    const start = trail.indexOf(file);
    if (start !== -1) {
      found.push([...trail.slice(start), file]);
      return;
    }
    if (done.has(file)) return;
    for (const next of graph.get(file) ?? []) visit(next, [...trail, file]);
    done.add(file);
  };
  for (const file of graph.keys()) visit(file, []);
  return found;
}
