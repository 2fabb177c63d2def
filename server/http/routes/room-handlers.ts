import { json, type Request, type RequestHandler, Router } from 'express';
import { clientAddress } from '../../core/client-address.ts';
import { AppError } from '../../core/errors.ts';
import { HOOK_MS, within } from '../../rooms/handlers/hooks.ts';
import type { RoomRoute } from '../../rooms/handlers/types.ts';
import { isReservedPath } from '../../rooms/reserved-names.ts';
import { bearerToken } from '../bearer.ts';
import type { HttpDeps, HttpRooms } from '../types.ts';

/** Routes of one room. */
const ROUTES_MAX = 100;
const METHODS: readonly unknown[] = ['GET', 'POST', 'DELETE'];
const PATH = /^\/(?:[\w.~-]+(?:\/[\w.~-]+)*)?$/;
/** What every room has. */
const TAKEN = new Set(['/post', '/postcontent', '/remotecontrol']);

/** What is wrong with a route; null: nothing. */
function problemOf(route: RoomRoute): string | null {
  if (!METHODS.includes(route?.method)) return 'method: GET, POST or DELETE';
  if (typeof route.path !== 'string' || !PATH.test(route.path)) return 'path: / and plain segments';
  if (/(^|\/)\.\.?(\/|$)/.test(route.path)) return 'path: no . and ..';
  if (TAKEN.has(route.path)) return 'path: every room has this one';
  return typeof route.handler === 'function' ? null : 'handler: no function';
}

/** All routes of the rooms that have handlers, by what they answer to. */
function collect(deps: HttpDeps, rooms: HttpRooms): Map<string, RoomRoute> {
  const found = new Map<string, RoomRoute>();
  for (const hooks of rooms.host.registered) {
    for (const route of hooks.routes().slice(0, ROUTES_MAX)) {
      const problem = problemOf(route);
      if (problem === null) found.set(keyOf(route.method, hooks.room, route.path), route);
      else
        deps.logger.error('Route of a room left out', {
          room: hooks.room,
          path: String(route?.path),
          problem,
        });
    }
  }
  return found;
}

const keyOf = (method: string, room: string, path: string) => JSON.stringify([method, room, path]);

/**
 * The routes of room handlers (`getRoutes`), under the room's path and nowhere else. They get plain values and answer with
 * plain values; unless they say so, a token of the room is needed.
 */
export function roomHandlerRoutes(deps: HttpDeps, rooms: HttpRooms): Router {
  const router = Router();
  const routes = collect(deps, rooms);
  if (routes.size === 0) return router;
  const body = json({ limit: rooms.maxPayloadBytes });

  const answer: RequestHandler = async (req, res, next) => {
    const room = String(req.params.room);
    const rest = [req.params.rest ?? []].flat();
    const route = routes.get(keyOf(req.method, room, `/${rest.join('/')}`));
    const isShort = !req.path.startsWith('/rooms/');
    if (!route || (isShort && isReservedPath(room))) return next();
    const token = bearerToken(req.headers.authorization);
    if (token === null && route.open !== true) {
      res.set('WWW-Authenticate', 'Bearer');
      throw new AppError('not_authenticated');
    }
    const auth = route.open === true || token === null ? null : rooms.host.authorize(room, token);
    await rooms.postLimit.use(clientAddress(req, deps.trust));
    await new Promise<void>((resolve, reject) => {
      body(req, res, (error?: unknown) => (error ? reject(error) : resolve()));
    });
    const { status, body: content } = await call(route, req, {
      clientAddress: clientAddress(req, deps.trust),
      auth,
    });
    res.set('Cache-Control', 'no-store').status(status);
    if (content === undefined) res.end();
    else res.json(content);
  };

  async function call(
    route: RoomRoute,
    req: Request,
    who: Pick<Parameters<RoomRoute['handler']>[0], 'clientAddress' | 'auth'>,
  ): Promise<{ status: number; body: unknown }> {
    try {
      const work = route.handler({ query: req.query, headers: req.headers, body: req.body, ...who });
      const result: unknown = await within(work, HOOK_MS, 'route');
      const { status, body: content } = (result ?? {}) as { status?: unknown; body?: unknown };
      const isStatus = Number.isInteger(status) && Number(status) >= 200 && Number(status) <= 599;
      return { status: isStatus ? Number(status) : content === undefined ? 204 : 200, body: content };
    } catch (error) {
      throw new AppError('internal', { cause: error });
    }
  }

  router.all('/rooms/:room{/*rest}', answer);
  router.all('/:room{/*rest}', answer);
  return router;
}
