import { Router } from 'express';
import { z } from 'zod';
import { AppError } from '../../core/errors.ts';
import { bearerToken, isSecret } from '../bearer.ts';
import type { HttpDeps } from '../types.ts';

export const healthSchema = z.object({
  /** `degraded`: not ready. */
  status: z.enum(['ok', 'degraded']),
  /** Seconds since the start. */
  uptime: z.number(),
  /** Rooms with members on this instance. */
  rooms: z.number(),
  /** Open client connections of this instance. */
  clients: z.number(),
  /** What room handlers tell about their rooms, by name. */
  roomStats: z.record(z.string(), z.unknown()).optional(),
  version: z.string(),
});

export const readinessSchema = z.object({ ready: z.boolean(), checks: z.record(z.string(), z.boolean()) });

/** What load balancers, monitors and Prometheus ask [HTTP-1]. */
export function healthRoutes(deps: HttpDeps): Router {
  const router = Router();
  const started = Date.now();

  router.use(['/health', '/healthz', '/readyz', '/metrics'], (_req, res, next) => {
    res.set('Cache-Control', 'no-store');
    next();
  });

  router.get('/health', async (_req, res) => {
    const { rooms, clients } = deps.counts();
    const summary: z.infer<typeof healthSchema> = {
      status: deps.readiness().ready ? 'ok' : 'degraded',
      uptime: Math.round((Date.now() - started) / 1000),
      rooms,
      clients,
      ...(deps.rooms ? { roomStats: await deps.rooms.host.stats() } : {}),
      version: deps.version,
    };
    res.json(summary);
  });

  router.get('/healthz', (_req, res) => {
    res.json({ status: 'ok' });
  });

  router.get('/readyz', (_req, res) => {
    const { ready, checks } = deps.readiness();
    res.status(ready ? 200 : 503).json({ ready, checks });
  });

  router.get('/metrics', async (req, res) => {
    const { production, metricsToken } = deps.config;
    if (metricsToken === undefined && production) throw new AppError('not_found');
    if (metricsToken !== undefined && !isSecret(bearerToken(req.headers.authorization) ?? '', metricsToken)) {
      res.set('WWW-Authenticate', 'Bearer');
      throw new AppError('not_authenticated');
    }
    deps.metrics.set('tailwire_ready', {}, deps.readiness().ready ? 1 : 0);
    const { contentType, body } = await deps.metrics.scrape();
    res.set('Content-Type', contentType).send(body);
  });

  return router;
}
