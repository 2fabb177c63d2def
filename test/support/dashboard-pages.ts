import { existsSync, readFileSync } from 'node:fs';
import type { RequestListener } from 'node:http';
import path from 'node:path';
import type { DashboardConfig, SessionInfo } from '../../shared/http.ts';

const OUT = path.resolve(import.meta.dirname, '../../dashboard/out');
const TYPES: Record<string, string> = {
  '.html': 'text/html',
  '.js': 'text/javascript',
  '.css': 'text/css',
  '.svg': 'image/svg+xml',
};

/** The built dashboard with a session that is always there, for a fake gateway to serve. */
export function dashboardPages(): RequestListener {
  if (!existsSync(OUT)) throw new Error('dashboard/out is missing: run npm run build first');
  const session: SessionInfo = {
    host: 'node-1.example',
    username: 'ops',
    expiresAt: '2030-01-01T00:00:00.000Z',
    demo: false,
  };
  const config: DashboardConfig = {
    version: '0.0.0',
    demo: false,
    units: ['execution', 'consensus'],
    socketPath: '/socket.io/',
  };
  const answers: Record<string, unknown> = { '/api/session': session, '/config.json': config };
  return (request, response) => {
    const { pathname } = new URL(request.url ?? '/', 'http://localhost');
    if (answers[pathname] !== undefined) {
      response.setHeader('content-type', 'application/json').end(JSON.stringify(answers[pathname]));
      return;
    }
    const file = path.join(OUT, pathname, pathname.endsWith('/') ? 'index.html' : '');
    if (!file.startsWith(OUT) || !existsSync(file)) {
      response.writeHead(404).end();
      return;
    }
    response.setHeader('content-type', TYPES[path.extname(file)] ?? 'text/plain').end(readFileSync(file));
  };
}
