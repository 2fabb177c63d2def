import { randomUUID } from 'node:crypto';
import type { Request, RequestHandler, Response } from 'express';
import { clientAddress, type ProxyTrust } from '../core/client-address.ts';
import type { Metrics } from '../core/metrics.ts';
import type { Logger } from '../core/types.ts';

/** Gives every request an id, in the answer as `X-Request-Id`, and logs and counts it when it is answered. */
export function requestContext(deps: {
  logger: Logger;
  metrics: Metrics;
  trust: ProxyTrust;
}): RequestHandler {
  return (req, res, next) => {
    const start = process.hrtime.bigint();
    res.locals.requestId = randomUUID();
    res.set('X-Request-Id', requestIdOf(res));
    res.once('close', () => {
      const seconds = Number(process.hrtime.bigint() - start) / 1e9;
      const route = routeOf(req);
      deps.metrics.count('tailwire_http_requests_total', {
        method: METHODS.has(req.method) ? req.method : 'other',
        route,
        status: `${Math.floor(res.statusCode / 100)}xx`,
      });
      deps.metrics.observe('tailwire_http_request_seconds', { route }, seconds);
      deps.logger.debug('Request', {
        requestId: requestIdOf(res),
        method: req.method,
        route,
        status: res.statusCode,
        seconds: Number(seconds.toFixed(4)),
        client: clientAddress(req, deps.trust),
      });
    });
    next();
  };
}

const METHODS = new Set(['GET', 'HEAD', 'POST', 'DELETE', 'OPTIONS']);

export function requestIdOf(res: Response): string {
  return String(res.locals.requestId ?? '');
}

/** The pattern of the route that answered, never the path itself: paths may hold tokens, and are endless. */
export function routeOf(req: Request): string {
  const route: unknown = req.route;
  const path = typeof route === 'object' && route !== null && 'path' in route ? route.path : undefined;
  return typeof path === 'string' ? path : 'other';
}
