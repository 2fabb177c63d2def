import cors from 'cors';
import express, { type Express } from 'express';
import helmet from 'helmet';
import { API_POLICY, dashboardRoutes } from './dashboard.ts';
import { errorHandler, notFound } from './errors.ts';
import { originGuard } from './guards.ts';
import { methodGuard } from './methods.ts';
import { requestContext } from './request-context.ts';
import { dashboardConfigRoutes } from './routes/dashboard-config.ts';
import { docsRoutes } from './routes/docs.ts';
import { healthRoutes } from './routes/health.ts';
import { logRoutes } from './routes/logs.ts';
import { roomRoutes } from './routes/rooms.ts';
import { sessionRoutes } from './routes/sessions.ts';
import type { HttpDeps } from './types.ts';

/** How long a browser may keep the answer to a CORS preflight, in seconds. */
const PREFLIGHT_S = 600;

/** The HTTP side as one request listener: API, health, metrics and the dashboard [HTTP-1] [HTTP-2]. */
export function createHttpApp(deps: HttpDeps): Express {
  const app = express();
  app.disable('x-powered-by');
  app.set('trust proxy', deps.trust);
  app.set('query parser', 'simple');
  app.set('env', deps.config.production ? 'production' : 'development');

  app.use(requestContext(deps));
  app.use(helmet({ contentSecurityPolicy: false, crossOriginResourcePolicy: { policy: 'same-origin' } }));
  app.use((_req, res, next) => {
    res.set('Content-Security-Policy', API_POLICY);
    next();
  });
  app.use(
    cors({
      origin: [...deps.config.frontendUrls],
      credentials: true,
      methods: ['GET', 'HEAD', 'POST', 'DELETE'],
      exposedHeaders: ['X-Request-Id', 'Retry-After', 'Content-Disposition'],
      maxAge: PREFLIGHT_S,
    }),
  );
  app.use(originGuard(deps));

  app.use(healthRoutes(deps));
  app.use(dashboardConfigRoutes(deps));
  app.use(docsRoutes(deps));
  app.use(sessionRoutes(deps));
  app.use(logRoutes(deps));
  app.use(roomRoutes(deps));
  app.use(dashboardRoutes(deps.dashboardDir));
  app.use(methodGuard(app.router));
  app.use(notFound());
  app.use(errorHandler(deps));
  return app;
}
