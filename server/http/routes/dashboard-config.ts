import { Router } from 'express';
import type { DashboardConfig } from '../../../shared/http.ts';
import type { HttpDeps } from '../types.ts';

/** `/config.json`: what a dashboard needs at run time [HTTP-1]. */
export function dashboardConfigRoutes(deps: HttpDeps): Router {
  const router = Router();
  router.get('/config.json', (_req, res) => {
    const config: DashboardConfig = {
      version: deps.version,
      demo: deps.demoTarget() !== null,
      units: [...deps.config.allowedUnits],
      socketPath: '/socket.io/',
    };
    res.set('Cache-Control', 'no-store').json(config);
  });
  return router;
}
