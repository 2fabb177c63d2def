import { markdownTable } from './markdown-table.ts';

/** A place in the source tree: a folder, or single files of one. */
export interface Place {
  name: string;
  /** Path prefixes, from the most to the least specific place in the list below. */
  paths: readonly string[];
  /** Places it may import from, beside itself. `*`: all. */
  mayImport: readonly string[] | '*';
  /** Whether `node:` modules may be used. */
  node: boolean;
}

const BASE = ['server/core', 'shared'] as const;
const CONFIG = 'server/config' as const;
const STORES = ['server/redis', ...BASE] as const;
const HOSTS = ['server/ssh', 'server/cluster', ...STORES] as const;
const DOMAIN = ['server/sessions', 'server/rooms', 'server/logs', 'server/status', ...HOSTS] as const;

/**
 * Who may import whom: the arrows of ARCHITECTURE.md, as data. The first place with a matching path is a file's place.
 * Type-only imports count too.
 */
export const PLACES: readonly Place[] = [
  { name: 'shared', paths: ['shared/'], mayImport: [], node: false },
  { name: 'server/core', paths: ['server/core/'], mayImport: ['shared'], node: true },
  {
    name: CONFIG,
    paths: ['server/config.ts', 'server/settings.ts', 'server/setting-parsers.ts', 'server/package-info.ts'],
    mayImport: BASE,
    node: true,
  },
  { name: 'server/redis', paths: ['server/redis/'], mayImport: BASE, node: true },
  { name: 'server/cluster', paths: ['server/cluster/'], mayImport: STORES, node: true },
  { name: 'server/ssh', paths: ['server/ssh/'], mayImport: STORES, node: true },
  { name: 'server/sessions', paths: ['server/sessions/'], mayImport: HOSTS, node: true },
  { name: 'server/rooms', paths: ['server/rooms/'], mayImport: HOSTS, node: true },
  { name: 'server/logs', paths: ['server/logs/'], mayImport: HOSTS, node: true },
  { name: 'server/status', paths: ['server/status/'], mayImport: HOSTS, node: true },
  { name: 'server/http', paths: ['server/http/'], mayImport: [...DOMAIN, CONFIG], node: true },
  { name: 'server/socketio', paths: ['server/socketio/'], mayImport: [...DOMAIN, CONFIG], node: true },
  { name: 'server/websocket', paths: ['server/websocket/'], mayImport: [...DOMAIN, CONFIG], node: true },
  { name: 'server/demo', paths: ['server/demo/'], mayImport: BASE, node: true },
  { name: 'server/process', paths: ['server/process.ts'], mayImport: [CONFIG, ...BASE], node: true },
  {
    name: 'server/app',
    paths: ['server/app.ts', 'server/app/'],
    mayImport: [
      'server/http',
      'server/socketio',
      'server/websocket',
      'server/demo',
      ...DOMAIN,
      CONFIG,
      'server/process',
    ],
    node: true,
  },
  {
    name: 'server/main',
    paths: ['server/main.ts'],
    mayImport: ['server/app', 'server/process', CONFIG],
    node: true,
  },
  { name: 'client/react', paths: ['client/react/'], mayImport: ['client', 'shared'], node: false },
  { name: 'client', paths: ['client/'], mayImport: ['shared'], node: false },
  // The build settings of the dashboard run in Node, its pages do not.
  {
    name: 'dashboard settings',
    paths: ['dashboard/next.config.ts', 'dashboard/postcss.config.mjs'],
    mayImport: [],
    node: true,
  },
  { name: 'dashboard', paths: ['dashboard/'], mayImport: ['client/react', 'client', 'shared'], node: false },
  { name: 'scripts', paths: ['scripts/'], mayImport: '*', node: true },
  { name: 'test', paths: ['test/'], mayImport: '*', node: true },
];

/** Names by which the dashboard imports its neighbours. */
export const ALIASES: readonly (readonly [string, string])[] = [
  ['tailwire/client', 'client/index.ts'],
  ['tailwire/react', 'client/react/index.ts'],
  ['tailwire/shared/', 'shared/'],
];

/**
 * The one home of each library: path prefixes that may import it. `*` means everywhere. A library of the product that
 * is not listed is refused, so that each gets a home on purpose. Scripts and tests are free.
 */
export const LIBRARY_HOMES: Readonly<Record<string, readonly string[] | '*'>> = {
  zod: '*',
  '@asteasolutions/zod-to-openapi': ['server/http/'],
  '@socket.io/redis-adapter': ['server/socketio/', 'server/cluster/'],
  'close-with-grace': ['server/process.ts'],
  cockatiel: ['server/websocket/'],
  cookie: ['server/core/'],
  cors: ['server/http/'],
  dotenv: ['server/config.ts'],
  express: ['server/http/'],
  helmet: ['server/http/', 'server/socketio/'],
  ioredis: ['server/redis/'],
  'ipaddr.js': ['server/core/', 'server/setting-parsers.ts', 'server/ssh/', 'server/sessions/'],
  jose: ['server/rooms/'],
  'prom-client': ['server/core/'],
  'rate-limiter-flexible': ['server/http/', 'server/sessions/', 'server/websocket/'],
  re2js: ['server/logs/'],
  'socket.io': ['server/socketio/'],
  'socket.io-parser': ['server/socketio/'],
  ssh2: ['server/ssh/connection.ts', 'server/ssh/private-key.ts', 'server/ssh/key-worker.ts', 'server/demo/'],
  'swagger-ui-express': ['server/http/'],
  winston: ['server/core/'],
  ws: ['server/websocket/'],
  'socket.io-client': ['client/'],
  react: ['client/react/', 'dashboard/'],
  'react-dom': ['dashboard/'],
  next: ['dashboard/'],
  '@tanstack/react-virtual': ['dashboard/'],
  anser: ['dashboard/'],
  'lucide-react': ['dashboard/'],
  'radix-ui': ['dashboard/'],
  sonner: ['dashboard/'],
};

/** Most lines of one source file; beyond it there is a second noun inside. */
export const MAX_LINES = 400;

/** Files outside these need no rule of their own about `process.env` (server, client and shared have one reader). */
export const ENV_READER = 'server/config.ts';

/** The arrows as a Markdown table, as ARCHITECTURE.md shows them. */
export function arrowTable(): string {
  const rows = PLACES.map(({ name, mayImport }) => {
    const targets =
      mayImport === '*' ? 'everything' : mayImport.map((one) => `\`${one}\``).join(', ') || 'nothing of ours';
    return [`\`${name}\``, targets];
  });
  return markdownTable(['In', 'may be imported from'], rows);
}
