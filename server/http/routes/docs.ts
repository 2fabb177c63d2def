import { type RequestHandler, Router } from 'express';
import { AppError } from '../../core/errors.ts';
import { basicCredentials, isSecret } from '../bearer.ts';
import { createAsyncApi } from '../docs/asyncapi.ts';
import { createOpenApi } from '../docs/openapi.ts';
import { createDocsPage } from '../docs/page.ts';
import type { HttpDeps } from '../types.ts';

/**
 * `/docs` and what belongs to it [HTTP-1]. Behind basic auth (RFC 7617) where DOCS_USERNAME and DOCS_PASSWORD are set;
 * where they are not, there are none in production, and elsewhere they are open.
 */
export function docsRoutes(deps: Pick<HttpDeps, 'config' | 'version'>): Router {
  const router = Router();
  const { production, docsUsername, docsPassword } = deps.config;
  const isOpen = docsUsername === undefined || docsPassword === undefined;
  if (isOpen && production) return router;

  const guard: RequestHandler = (req, res, next) => {
    res.set('Cache-Control', 'no-store');
    if (isOpen) return next();
    const given = basicCredentials(req.headers.authorization);
    // Both are compared whatever the first says, so that the time tells nothing about the user name.
    const isUser = isSecret(given?.username ?? '', docsUsername);
    const isPassword = isSecret(given?.password ?? '', docsPassword);
    if (isUser && isPassword) return next();
    res.set('WWW-Authenticate', 'Basic realm="Tailwire API", charset="UTF-8"');
    throw new AppError('not_authenticated', { detail: 'user name and password of the documents' });
  };

  // Written once: whoever asks often, or reads slowly, costs little.
  const openApi = Buffer.from(JSON.stringify(createOpenApi(deps.version)));
  const asyncApi = Buffer.from(JSON.stringify(createAsyncApi(deps.version)));
  const page = createDocsPage();
  router.use('/docs', guard);
  router.get('/docs/openapi.json', (_req, res) => void res.type('json').send(openApi));
  router.get('/docs/asyncapi.json', (_req, res) => void res.type('json').send(asyncApi));
  router.get('/docs', (_req, res) => {
    res.set('Content-Security-Policy', page.policy).type('html').send(page.html);
  });
  router.use('/docs', ...page.files);
  return router;
}
