import type { Request, RequestHandler } from 'express';
import { clientAddress } from '../core/client-address.ts';
import { AppError } from '../core/errors.ts';
import { sessionTokens } from '../core/session-token.ts';
import type { Session, SessionStore } from '../sessions/types.ts';
import type { HttpDeps } from './types.ts';

const SAFE_METHODS = new Set(['GET', 'HEAD', 'OPTIONS']);

/** Applies the Origin policy to every request that may change something [HTTP-2]. */
export function originGuard(deps: Pick<HttpDeps, 'originPolicy'>): RequestHandler {
  return (req, _res, next) => {
    if (!SAFE_METHODS.has(req.method) && !deps.originPolicy(req.headers))
      throw new AppError('origin_not_allowed');
    next();
  };
}

/** Applies HTTP_RATE to one client address. */
export function loginGuard(deps: Pick<HttpDeps, 'loginLimit' | 'trust'>): RequestHandler {
  return async (req, _res, next) => {
    await deps.loginLimit.use(clientAddress(req, deps.trust));
    next();
  };
}

/**
 * The session a request belongs to: of its tokens the first valid one counts.
 * @throws AppError not_authenticated (no token), invalid_session (none valid), store_unavailable
 */
export async function requireSession(
  req: Request,
  sessions: SessionStore,
): Promise<{ token: string; session: Session }> {
  const tokens = sessionTokens(req.headers);
  for (const token of tokens) {
    const session = await sessions.get(token);
    if (session) return { token, session };
  }
  throw new AppError(tokens.length === 0 ? 'not_authenticated' : 'invalid_session');
}
