import { z } from 'zod';
import type { SshTarget } from '../ssh/types.ts';

/** What a session consists of, before it is sealed and after it was opened. */
export interface SessionPayload {
  target: SshTarget;
  demo: boolean;
  units?: readonly string[];
  /** Epoch ms. */
  createdAt: number;
}

/** Bounds of RFC 1035 section 2.3.4 (names), and generous ones for the rest: they only keep nonsense out. */
const host = z.string().min(1).max(255);
const username = z.string().min(1).max(255);
const secret = z.string().max(65_536);
const port = z.number().int().min(1).max(65_535);
const PORT_DEFAULT = 22;

const payloadSchema = z.object({
  target: z.object({
    host,
    port,
    username,
    credential: z.discriminatedUnion('method', [
      z.object({ method: z.literal('password'), password: secret }),
      z.object({ method: z.literal('privateKey'), privateKey: secret, passphrase: secret.optional() }),
    ]),
    hostKey: z.string().max(255).optional(),
  }),
  demo: z.boolean(),
  units: z.array(z.string()).optional(),
  createdAt: z.number(),
});

/** The original app takes the port from a form, so it may be text, empty or missing. */
const plainSchema = z.object({
  host,
  username,
  password: secret,
  port: z
    .union([
      port,
      z
        .string()
        .regex(/^\d{1,5}$/)
        .transform(Number)
        .pipe(port),
      z.literal('').transform(() => PORT_DEFAULT),
    ])
    .nullish(),
  lastAccessed: z.unknown().optional(),
});

/** Earliest time a stamp is believed to mean, epoch ms: 2001, below which numbers are seconds or placeholders. */
const STAMP_MIN = 1e12;
/** How far clocks of two machines may differ, ms. */
const CLOCK_SKEW = 300_000;

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

export function formatPayload(payload: SessionPayload): string {
  return JSON.stringify(payload);
}

/** Reads what `formatPayload` wrote; null for anything else. */
export function parsePayload(text: string): SessionPayload | null {
  const { data } = payloadSchema.safeParse(parseJson(text));
  if (data === undefined) return null;
  const target = data.target;
  const { credential, hostKey } = target;
  return {
    target: {
      host: target.host,
      port: target.port,
      username: target.username,
      credential:
        credential.method === 'password'
          ? credential
          : {
              method: 'privateKey',
              privateKey: credential.privateKey,
              ...(credential.passphrase === undefined ? {} : { passphrase: credential.passphrase }),
            },
      ...(hostKey === undefined ? {} : { hostKey }),
    },
    demo: data.demo,
    ...(data.units === undefined ? {} : { units: data.units }),
    createdAt: data.createdAt,
  };
}

/**
 * Reads a session as an original Next.js app writes it: `{host, username, password, port, lastAccessed}` [SES-1]. Those
 * apps set `lastAccessed` at the login and never again, so it tells the age; where it is missing or makes no sense the
 * session counts as new at `now` (epoch ms). Null for what is no such session.
 */
export function parsePlainSession(text: string, now: number): SessionPayload | null {
  const { data } = plainSchema.safeParse(parseJson(text));
  if (data === undefined) return null;
  const stamp = typeof data.lastAccessed === 'string' ? Date.parse(data.lastAccessed) : data.lastAccessed;
  const known = typeof stamp === 'number' && stamp >= STAMP_MIN && stamp <= now + CLOCK_SKEW;
  return {
    target: {
      host: data.host,
      port: data.port ?? PORT_DEFAULT,
      username: data.username,
      credential: { method: 'password', password: data.password },
    },
    demo: false,
    createdAt: known ? Math.min(stamp, now) : now,
  };
}
