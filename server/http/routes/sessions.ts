import { type CookieOptions, json, type Request, Router } from 'express';
import type { z } from 'zod';
import {
  demoLoginSchema,
  keyLoginSchema,
  type LoginAnswer,
  passwordLoginSchema,
  type SessionInfo,
} from '../../../shared/http.ts';
import { clientAddress } from '../../core/client-address.ts';
import { AppError } from '../../core/errors.ts';
import { SESSION_COOKIE, sessionTokens } from '../../core/session-token.ts';
import type { Session } from '../../sessions/types.ts';
import type { SshTarget } from '../../ssh/types.ts';
import { loginGuard, requireSession } from '../guards.ts';
import type { HttpDeps } from '../types.ts';
import { parseInput } from '../validation.ts';

/** Largest body of a request, in bytes: room for a private key of 32 kB with its JSON escapes. */
const BODY_MAX = 64 * 1024;
const SSH_PORT = 22;

/** Log in, look at the session, log out [SES-2]. */
export function sessionRoutes(deps: HttpDeps): Router {
  const router = Router();
  const cookie: CookieOptions = {
    httpOnly: true,
    sameSite: 'lax',
    secure: deps.config.production,
    path: '/',
  };

  router.post('/api/sessions', loginGuard(deps), json({ limit: BODY_MAX }), async (req, res) => {
    const { target, demo } = parseLogin(req, deps.demoTarget);
    const result = await deps.login({ target, clientAddress: clientAddress(req, deps.trust), demo });
    const { algorithm, fingerprint, firstSeen } = result.hostKey;
    const answer: LoginAnswer = {
      token: result.token,
      ...sessionInfo(result.session),
      hostKey: { algorithm, fingerprint, firstSeen },
    };
    res.cookie(SESSION_COOKIE, result.token, { ...cookie, maxAge: deps.config.sessionMaxAgeMs });
    res.status(201).set('Cache-Control', 'no-store').json(answer);
  });

  router.get('/api/session', async (req, res) => {
    const { session } = await requireSession(req, deps.sessions);
    res.set('Cache-Control', 'no-store').json(sessionInfo(session));
  });

  router.delete('/api/session', async (req, res) => {
    const tokens = sessionTokens(req.headers);
    if (tokens.length === 0) throw new AppError('not_authenticated');
    // All of them, valid or not: after a logout no token that the browser still sends may work.
    for (const token of tokens) await deps.logout(token);
    res.clearCookie(SESSION_COOKIE, cookie).status(204).end();
  });

  return router;
}

function sessionInfo(session: Session): SessionInfo {
  return {
    host: session.target.host,
    username: session.target.username,
    expiresAt: new Date(session.expiresAt).toISOString(),
    demo: session.demo,
  };
}

function parseLogin(req: Request, demoTarget: () => SshTarget | null): { target: SshTarget; demo: boolean } {
  const body: unknown = req.body;
  if (typeof body !== 'object' || body === null || Array.isArray(body)) {
    throw new AppError('invalid_request', {
      detail: 'send a JSON object with Content-Type application/json',
    });
  }
  if ('demo' in body && body.demo !== false) {
    parseInput(demoLoginSchema, body);
    const target = demoTarget();
    if (!target) throw new AppError('demo_off');
    return { target, demo: true };
  }
  const method = 'authMethod' in body ? body.authMethod : undefined;
  if (method === 'password')
    return { target: passwordTarget(parseInput(passwordLoginSchema, body)), demo: false };
  if (method === 'privateKey') return { target: keyTarget(parseInput(keyLoginSchema, body)), demo: false };
  throw new AppError('invalid_request', { detail: 'authMethod: must be "password" or "privateKey"' });
}

function passwordTarget(login: z.output<typeof passwordLoginSchema>): SshTarget {
  return { ...address(login), credential: { method: 'password', password: login.password } };
}

function keyTarget(login: z.output<typeof keyLoginSchema>): SshTarget {
  const { privateKey, passphrase } = login;
  return {
    ...address(login),
    credential: { method: 'privateKey', privateKey, ...(passphrase === undefined ? {} : { passphrase }) },
  };
}

function address(login: {
  host: string;
  port?: number | undefined;
  username: string;
  hostKey?: string | undefined;
}) {
  const { host, port = SSH_PORT, username, hostKey } = login;
  return { host, port, username, ...(hostKey === undefined ? {} : { hostKey }) };
}
