/**
 * First segments of paths that belong to the product: dashboards, API, other dialects. A room of such a name is reached
 * under `/rooms/NAME` only. Names that begin with `_` or `.` belong to it as well.
 */
export const RESERVED_PATHS: readonly string[] = [
  '404',
  'api',
  'auth',
  'config.json',
  'docs',
  'favicon.ico',
  'health',
  'healthz',
  'icon.svg',
  'index',
  'index.html',
  'index.txt',
  'mb',
  'metrics',
  'node',
  'readyz',
  'robots.txt',
  'rooms',
  'socket.io',
  'theme.js',
  'ws',
];

const RESERVED = new Set(RESERVED_PATHS);

/** Whether the short form of a room's path, `/NAME`, is taken by something else. */
export function isReservedPath(name: string): boolean {
  return RESERVED.has(name.toLowerCase()) || name.startsWith('_') || name.startsWith('.');
}
