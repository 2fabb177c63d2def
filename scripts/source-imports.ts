import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';

export interface SourceFile {
  /** From the root, with forward slashes. */
  file: string;
  text: string;
  imports: string[];
}

const FOLDERS = ['shared', 'server', 'client', 'dashboard', 'scripts', 'test'];
const SKIPPED = new Set(['node_modules', 'dist', 'out', '.next', 'fixtures', 'next-env.d.ts']);
const SOURCE = /\.(ts|tsx|mjs|cjs|js)$/;

/** Every source file below a root, with what it imports. */
export function readSources(root: string): SourceFile[] {
  const files: SourceFile[] = [];
  const visit = (dir: string): void => {
    for (const entry of readdirSync(path.join(root, dir), { withFileTypes: true })) {
      if (SKIPPED.has(entry.name)) continue;
      const file = path.posix.join(dir, entry.name);
      if (entry.isDirectory()) visit(file);
      else if (SOURCE.test(entry.name)) {
        const text = readFileSync(path.join(root, file), 'utf8');
        files.push({ file, text, imports: importsOf(text) });
      }
    }
  };
  const present = new Set(readdirSync(root));
  for (const folder of FOLDERS) if (present.has(folder)) visit(folder);
  return files.sort((a, b) => (a.file < b.file ? -1 : 1));
}

const PATTERNS = [
  /^\s*(?:import|export)\b[^'"`;()=]*?\bfrom\s*['"]([^'"\n]+)['"]/gm,
  /^\s*import\s*['"]([^'"\n]+)['"]/gm,
  /\bimport\(\s*['"]([^'"\n]+)['"]\s*\)/g,
  /\brequire\(\s*['"]([^'"\n]+)['"]\s*\)/g,
];

/** The module names in a file: static, dynamic and re-exporting imports, types included, comments left out. */
export function importsOf(text: string): string[] {
  const code = text.replace(/^\s*\/\*[\s\S]*?\*\//gm, '').replace(/^\s*\/\/.*$/gm, '');
  return [
    ...new Set(PATTERNS.flatMap((pattern) => [...code.matchAll(pattern)].map((match) => match[1] ?? ''))),
  ];
}
