import { errors, jwtVerify, SignJWT } from 'jose';
import { z } from 'zod';
import { MAX_TOKEN } from '../../../shared/events.ts';
import { AppError } from '../../core/errors.ts';
import type { Grant } from '../types.ts';
import { matchesPattern, PATTERN_MAX } from './channel-pattern.ts';

/** Who a token may be meant for where it names somebody (RFC 7519 section 4.1.3). */
const AUDIENCES = ['tailwire', 'nexus'];
/** Role of those who only watch. */
const READ_ONLY_ROLE = 'observer';
/** The one algorithm (RFC 7518 section 3.2). */
const HMAC = 'HS256';

const claimsSchema = z.object({
  /** Issuers whose users have numbers write them as they are. */
  userId: z.union([z.string().min(1).max(256), z.int().transform(String)]),
  role: z.string().max(64).optional(),
  /** Names with `*` wildcards; absent: every channel. */
  channels: z.array(z.string().min(1).max(PATTERN_MAX)).max(256).optional(),
  /** Epoch seconds. */
  exp: z.number().optional(),
  aud: z.union([z.string(), z.array(z.string())]).optional(),
});

export type JwtClaims = Omit<z.output<typeof claimsSchema>, 'exp' | 'aud'>;

export interface JwtGrant extends Grant {
  role: string | undefined;
}

/** A class, so that thousands of connections share its code. */
class ClaimedGrant implements JwtGrant {
  readonly from: string;
  readonly role: string | undefined;
  readonly expiresAt: number | null;
  readonly #channels: readonly string[] | undefined;

  constructor({ userId, role, channels }: JwtClaims, expiresAt: number | null) {
    this.from = userId;
    this.role = role;
    this.expiresAt = expiresAt;
    this.#channels = channels;
  }

  mayJoin(room: string): boolean {
    return this.#channels?.some((pattern) => matchesPattern(pattern, room)) ?? true;
  }

  mayPublish(room: string): boolean {
    return this.role !== READ_ONLY_ROLE && this.mayJoin(room);
  }
}

export interface Jwts {
  /** @throws AppError invalid_token for whatever is wrong with it */
  verify(token: string): Promise<JwtGrant>;
  /** @param expiresInS seconds from now; without it the token does not expire */
  issue(claims: JwtClaims, expiresInS?: number): Promise<string>;
}

/**
 * The JWTs of channels and topics [WS-1] [WS-4]: HS256 with one key and nothing else, whatever a token's header asks for
 * (RFC 8725 section 3.1); `jku`, `jwk`, `x5u` and `kid` are not looked at. A `channels` claim limits the channels,
 * the role `observer` to reading.
 */
export function createJwts(deps: { secret: string; now?: () => number }): Jwts {
  const { now = Date.now } = deps;
  const key = new TextEncoder().encode(deps.secret);

  return {
    async verify(token) {
      if (token.length > MAX_TOKEN) throw new AppError('invalid_token');
      try {
        const { payload } = await jwtVerify(token, key, {
          algorithms: [HMAC],
          currentDate: new Date(now()),
        });
        const { userId, role, channels, exp, aud } = claimsSchema.parse(payload);
        if (aud !== undefined && ![aud].flat().some((one) => AUDIENCES.includes(one))) {
          throw new AppError('invalid_token');
        }
        return new ClaimedGrant({ userId, role, channels }, exp === undefined ? null : exp * 1000);
      } catch (error) {
        if (error instanceof AppError) throw error;
        if (error instanceof errors.JOSEError || error instanceof z.ZodError)
          throw new AppError('invalid_token');
        throw new AppError('invalid_token', { cause: error });
      }
    },
    issue(claims, expiresInS) {
      const jwt = new SignJWT({ ...claims }).setProtectedHeader({ alg: HMAC, typ: 'JWT' });
      const issuedAt = Math.floor(now() / 1000);
      jwt.setIssuedAt(issuedAt);
      if (expiresInS !== undefined) jwt.setExpirationTime(issuedAt + expiresInS);
      return jwt.sign(key);
    },
  };
}
