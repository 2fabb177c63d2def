import { createHmac, timingSafeEqual } from 'node:crypto';
import { z } from 'zod';
import { MAX_TOKEN } from '../../../shared/events.ts';
import { AppError } from '../../core/errors.ts';
import { isRoomName } from '../room-name.ts';
import type { Grant } from '../types.ts';

/** Scope of a token for a room's control channel; it opens nothing else. */
export const CONTROL_SCOPE = 'control';

const claimsSchema = z.object({
  clientId: z.string().min(1).max(256),
  room: z.string().refine(isRoomName),
  /** Epoch ms. */
  expiresAt: z.number(),
  /** Epoch ms. */
  issuedAt: z.number(),
  metadata: z.record(z.string(), z.unknown()).optional(),
  scope: z.string().max(64).optional(),
});

export type RoomClaims = z.output<typeof claimsSchema>;

export interface RoomTokenRequest {
  clientId: string;
  room: string;
  /** Seconds from now. */
  expiresInS: number;
  metadata?: Record<string, unknown>;
  scope?: string;
}

export interface RoomTokens {
  /** @throws AppError invalid_token for whatever is wrong with it, expiry included */
  verify(token: string): RoomClaims;
  /** The rights in a token: its one room; none there with the control scope. @throws AppError invalid_token */
  grant(token: string): Grant;
  /** @returns the token and when it ends, epoch ms */
  issue(request: RoomTokenRequest): { token: string; expiresAt: number };
}

/**
 * The tokens of rooms [WS-2]: base64url(JSON claims) "." base64url(HMAC-SHA256 of the first part). Each is for one room
 * and always expires.
 */
export function createRoomTokens(deps: { secret: string; now?: () => number }): RoomTokens {
  const { secret, now = Date.now } = deps;
  const sign = (body: string): string => createHmac('sha256', secret).update(body).digest('base64url');

  function verify(token: string): RoomClaims {
    const [body = '', signature = '', ...rest] = token.length > MAX_TOKEN ? [] : token.split('.');
    // The text is compared, not its bytes, so that a token has one spelling only.
    const well = rest.length === 0 && /^[\w-]+$/.test(body) && /^[\w-]{43}$/.test(signature);
    if (!well || !timingSafeEqual(Buffer.from(sign(body)), Buffer.from(signature))) {
      throw new AppError('invalid_token');
    }
    let claims: unknown;
    try {
      claims = JSON.parse(Buffer.from(body, 'base64url').toString());
    } catch {
      throw new AppError('invalid_token');
    }
    const parsed = claimsSchema.safeParse(claims);
    if (!parsed.success || parsed.data.expiresAt <= now()) throw new AppError('invalid_token');
    return parsed.data;
  }

  return {
    verify,
    grant(token) {
      const { clientId, room, expiresAt, scope } = verify(token);
      const may = (name: string) => name === room && scope !== CONTROL_SCOPE;
      return { from: clientId, expiresAt, mayJoin: may, mayPublish: may };
    },
    issue({ clientId, room, expiresInS, metadata, scope }) {
      const issuedAt = now();
      const expiresAt = issuedAt + Math.round(expiresInS * 1000);
      const claims: RoomClaims = {
        clientId,
        room,
        expiresAt,
        issuedAt,
        ...(metadata ? { metadata } : {}),
        ...(scope === undefined ? {} : { scope }),
      };
      const body = Buffer.from(JSON.stringify(claims)).toString('base64url');
      return { token: `${body}.${sign(body)}`, expiresAt };
    },
  };
}
