import { createHash } from 'node:crypto';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import express, { type RequestHandler, Router } from 'express';

/** Policy of everything that is not a page: nothing may be loaded or framed. */
export const API_POLICY = "default-src 'none'; frame-ancestors 'none'; base-uri 'none'";

/** A year, in seconds: how long files whose name holds their hash may be kept. */
const YEAR_S = 31_536_000;

/**
 * Serves the exported dashboard from `directory`: extensionless addresses (`/watch` is `watch.html` or `watch/index.html`), long caching for files
 * named by their hash, and for each page a Content Security Policy that allows exactly its own inline scripts. Where
 * there is no export, `/` says how to make one.
 */
export function dashboardRoutes(directory: string): Router {
  const dir = path.resolve(directory);
  const router = Router();
  if (!existsSync(path.join(dir, 'index.html'))) {
    router.get('/', (_req, res) => {
      res.set('Content-Security-Policy', pagePolicy([])).type('html').send(MISSING_PAGE);
    });
    return router;
  }
  const policies = readPolicies(dir);
  router.use(
    express.static(dir, {
      extensions: ['html'],
      index: 'index.html',
      setHeaders(res, file) {
        const policy = policies.get(file);
        if (policy) res.setHeader('Content-Security-Policy', policy);
        const isHashed = file.startsWith(path.join(dir, '_next', 'static') + path.sep);
        res.setHeader('Cache-Control', isHashed ? `public, max-age=${YEAR_S}, immutable` : 'no-cache');
      },
    }),
  );
  router.use(missingPage(path.join(dir, '404.html'), policies));
  return router;
}

/** People who follow a dead link get the dashboard's own page; programs go on to the error in JSON. */
function missingPage(file: string, policies: ReadonlyMap<string, string>): RequestHandler {
  return (req, res, next) => {
    const policy = policies.get(file);
    if (policy === undefined || req.method !== 'GET' || req.path.startsWith('/api/')) return next();
    if (!req.headers.accept?.includes('text/html')) return next();
    res.status(404).set('Content-Security-Policy', policy).set('Cache-Control', 'no-cache').sendFile(file);
  };
}

/** The policy of each exported page, by file name. */
function readPolicies(dir: string): Map<string, string> {
  const pages = readdirSync(dir, { recursive: true, encoding: 'utf8' }).filter((file) =>
    file.endsWith('.html'),
  );
  return new Map(
    pages.map((file) => {
      const name = path.join(dir, file);
      return [name, pagePolicy(inlineScriptHashes(readFileSync(name, 'utf8')))];
    }),
  );
}

/** CSP sources for the inline scripts of a page (CSP level 3, section 8.4: SHA-256 of the text between the tags). */
export function inlineScriptHashes(html: string): string[] {
  const scripts = html.matchAll(/<script\b([^>]*)>([\s\S]*?)<\/script>/gi);
  const hashes = [...scripts]
    .filter(([, attributes = '', text = '']) => !/\bsrc\s*=/i.test(attributes) && text !== '')
    .map(([, , text = '']) => `'sha256-${createHash('sha256').update(text).digest('base64')}'`);
  return [...new Set(hashes)];
}

/** Inline styles are allowed because the positions of virtual lists and pop-ups are style attributes. */
function pagePolicy(scriptHashes: readonly string[]): string {
  return [
    "default-src 'self'",
    ["script-src 'self'", ...scriptHashes].join(' '),
    "style-src 'self' 'unsafe-inline'",
    "img-src 'self' data:",
    "connect-src 'self'",
    "object-src 'none'",
    "base-uri 'none'",
    "form-action 'self'",
    "frame-ancestors 'none'",
  ].join('; ');
}

const MISSING_PAGE = `<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>Tailwire</title>
<style>body{font:16px/1.5 system-ui,sans-serif;max-width:40rem;margin:4rem auto;padding:0 1rem}code{background:#8882;padding:.1em .3em}</style>
<h1>Tailwire is running</h1>
<p>The dashboard has not been built yet. Run <code>npm run build</code> and start the server again.</p>
<p>The API works without it:</p>
<ul>
<li>Socket.IO at <code>/socket.io/</code> and at <code>/</code></li>
<li><code>POST /api/sessions</code>, <code>GET /api/session</code>, <code>DELETE /api/session</code>, <code>GET /api/logs/:service</code></li>
<li><a href="/health">/health</a>, <a href="/healthz">/healthz</a>, <a href="/readyz">/readyz</a>, <a href="/metrics">/metrics</a>, <a href="/config.json">/config.json</a></li>
</ul>
</html>
`;
