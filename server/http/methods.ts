import type { IRouter, RequestHandler } from 'express';
import { AppError } from '../core/errors.ts';
import { isReservedPath } from '../rooms/reserved-names.ts';

/** A path as the router knows it, and the methods it answers, upper case. */
export interface KnownPath {
  /** `/api/logs/:service` */
  pattern: string;
  methods: readonly string[];
}

/** The part of a router that says which routes it has. */
interface Stack {
  stack: readonly {
    route?: { path: unknown; stack: readonly { method?: string | undefined }[] } | undefined;
    handle: unknown;
  }[];
}

function hasStack(value: unknown): value is Stack {
  return (
    (typeof value === 'function' || typeof value === 'object') &&
    value !== null &&
    'stack' in value &&
    Array.isArray(value.stack)
  );
}

/** Every route of a router and of those inside it; routes that answer all methods are left out. */
export function knownPaths(router: IRouter): KnownPath[] {
  const found = new Map<string, Set<string>>();
  const walk = ({ stack }: Stack) => {
    for (const { route, handle } of stack) {
      if (typeof route?.path === 'string') {
        const methods = found.get(route.path) ?? new Set();
        for (const { method } of route.stack) if (method !== undefined) methods.add(method.toUpperCase());
        if (methods.size > 0) found.set(route.path, methods);
      } else if (hasStack(handle)) walk(handle);
    }
  };
  if (hasStack(router)) walk(router);
  return [...found].map(([pattern, methods]) => ({ pattern, methods: [...methods].sort() }));
}

/** A pattern of plain segments and `:names` as an expression; without regard to case and a slash at the end, as routes are. */
function toExpression(pattern: string): RegExp {
  const segments = pattern.split('/').map((segment) => {
    const name = /^:(\w+)$/.exec(segment)?.[1];
    return name === undefined ? segment.replace(/[.*+?^${}()|[\]\\]/g, '\\$&') : `(?<${name}>[^/]+)`;
  });
  return new RegExp(`^${segments.join('/')}/?$`, 'i');
}

/** Files of the dashboard are no routes; of them the page itself counts. */
const DASHBOARD: KnownPath = { pattern: '/', methods: ['GET'] };

/**
 * Behind all routes: a path that is known for other methods is answered with 405 and `Allow` (RFC 9110 section 15.5.6)
 * instead of 404. @param router the routes in front of it
 */
export function methodGuard(router: IRouter): RequestHandler {
  const paths = [DASHBOARD, ...knownPaths(router)].map(({ pattern, methods }) => ({
    expression: toExpression(pattern),
    methods,
  }));
  return (req, res, next) => {
    const allowed = new Set<string>();
    for (const { expression, methods } of paths) {
      const match = expression.exec(req.path);
      if (!match || isTaken(match.groups?.room, req.path)) continue;
      for (const method of methods) allowed.add(method);
    }
    if (allowed.has('GET')) allowed.add('HEAD');
    // What is there and did not answer said so itself: it is not there for this request.
    if (allowed.size === 0 || allowed.has(req.method)) return next();
    res.set('Allow', [...allowed].sort().join(', '));
    throw new AppError('method_not_allowed');
  };
}

/** Whether the short address of a room belongs to something else. */
function isTaken(room: string | undefined, path: string): boolean {
  return room !== undefined && !path.startsWith('/rooms/') && isReservedPath(room);
}
