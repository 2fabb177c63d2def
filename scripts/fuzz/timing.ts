import { basicCredentials, isSecret } from '../../server/http/bearer.ts';
import { createPositionCodec } from '../../server/logs/position.ts';
import { createJwts } from '../../server/rooms/tokens/jwt.ts';
import { createRoomTokens } from '../../server/rooms/tokens/room-token.ts';
import { createMemorySessionStore } from '../../server/sessions/session-store.ts';
import { randomText } from './guesses.ts';
import { generator } from './mutate.ts';

/** Two sets of times of which Welch's t is beyond this differ (ISO/IEC 17825). */
export const T_MAX = 4.5;
/** The comparison that is meant to be found out. */
export const CONTROL = 'character by character (control)';
/** Calls before anything is measured: the code is compiled by then. */
const WARM_UP = 2000;
/** Guesses that are made before they are measured, one after the other. */
const BATCH = 200;
/** Characters at the end of the nearest guesses that are wrong: of the last one in base64url not every bit counts. */
const WRONG = 2;
/** Share of the longest times that is left out: garbage collections and other programs. */
const CROPPED = 0.1;

export interface Timing {
  name: string;
  /** Ns: of guesses with nothing right, and of those that are right but for the last two characters. */
  means: readonly [number, number];
  t: number;
}

/** A secret and the part of the server that looks at what is given for it. */
interface Lock {
  secret: string;
  /** What is given to `look` for a guess, where that is more than the guess. */
  wrap?(guess: string): string;
  look(given: string): unknown;
}

/**
 * A comparison is measured with a new random secret for each guess. With a single one, guesses near it would differ from
 * random ones also in their characters, and so in what else is done with them.
 */
interface Comparison {
  name: string;
  make(below: (limit: number) => number): Lock | Promise<Lock>;
}

function quietly(work: () => unknown): unknown {
  try {
    return work();
  } catch {
    return null;
  }
}

/** Characters of a secret of the settings. */
const SECRET_CHARS = 32;
/** Characters of a log position that are its MAC. */
const TAG_CHARS = 8;

function listComparisons(): Comparison[] {
  const roomTokens = createRoomTokens({ secret: 'the HMAC secret of this run' });
  const jwts = createJwts({ secret: 'the JWT secret of this run' });
  const sessions = createMemorySessionStore({ secrets: ['the session secret of this run, long enough'] });
  const codec = createPositionCodec(['the session secret of this run'], 'stream');
  const credential = { method: 'password', password: 'x' } as const;
  const cut = (text: string) => {
    const at = text.lastIndexOf('.') + 1;
    return { head: text.slice(0, at), secret: text.slice(at) };
  };
  const basic = (name: string, password: string) =>
    `Basic ${Buffer.from(`${name}:${password}`).toString('base64')}`;
  const setting = (below: (limit: number) => number) => randomText(SECRET_CHARS, below);
  const hex = (length: number, below: (limit: number) => number) =>
    Array.from({ length }, () => below(16).toString(16)).join('');
  return [
    {
      name: 'issuer key, metrics token',
      make(below) {
        const secret = setting(below);
        return { secret, look: (given) => isSecret(given, secret) };
      },
    },
    {
      name: 'password of the documents',
      make(below) {
        const secret = setting(below);
        const wrap = (guess: string) => basic('name', guess);
        return { secret, wrap, look: (given) => isSecret(basicCredentials(given)?.password ?? '', secret) };
      },
    },
    {
      name: 'user name of the documents',
      make(below) {
        const secret = setting(below);
        const wrap = (guess: string) => basic(guess, 'password');
        return { secret, wrap, look: (given) => isSecret(basicCredentials(given)?.username ?? '', secret) };
      },
    },
    {
      name: 'room token (HMAC)',
      make(below) {
        const { token } = roomTokens.issue({ clientId: hex(8, below), room: 'x', expiresInS: 86_400 });
        const { head, secret } = cut(token);
        const look = (given: string) => quietly(() => roomTokens.verify(given));
        return { secret, wrap: (guess) => head + guess, look };
      },
    },
    {
      name: 'JWT (HMAC)',
      async make(below) {
        const { head, secret } = cut(await jwts.issue({ userId: hex(8, below), role: 'agent' }, 86_400));
        const look = (given: string) => jwts.verify(given).catch(() => null);
        return { secret, wrap: (guess) => head + guess, look };
      },
    },
    {
      name: 'session token (look-up)',
      async make() {
        const { token } = await sessions.create({ host: '192.0.2.1', port: 22, username: 'x', credential });
        return { secret: token, look: (given) => sessions.get(given) };
      },
    },
    {
      name: 'log position (MAC)',
      make(below) {
        const journal = hex(32, below);
        const position = codec.encode(
          `s=${journal};i=1f;b=${journal};m=1f;t=5f0a1b2c3d4e5;x=${hex(15, below)}1`,
        );
        const look = (given: string) => quietly(() => codec.decode(given));
        return {
          secret: position.slice(0, TAG_CHARS),
          wrap: (guess) => guess + position.slice(TAG_CHARS),
          look,
        };
      },
    },
    {
      name: CONTROL,
      make(below) {
        const secret = setting(below);
        const look = (given: string) => {
          for (let at = 0; at < secret.length; at += 1) if (given[at] !== secret[at]) return false;
          return true;
        };
        return { secret, look };
      },
    },
  ];
}

interface Sample {
  mean: number;
  variance: number;
  count: number;
}

function sample(times: number[], limit: number): Sample {
  const kept = times.filter((time) => time <= limit);
  const mean = kept.reduce((sum, time) => sum + time, 0) / kept.length;
  const variance = kept.reduce((sum, time) => sum + (time - mean) ** 2, 0) / (kept.length - 1);
  return { mean, variance, count: kept.length };
}

/** Welch's t of two sets of times; of both, what is longer than nine tenths of them all is left out. */
export function welch(first: number[], second: number[]): { means: [number, number]; t: number } {
  const all = [...first, ...second].sort((a, b) => a - b);
  const limit = all[Math.ceil(all.length * (1 - CROPPED)) - 1] ?? 0;
  const [a, b] = [sample(first, limit), sample(second, limit)];
  const error = Math.sqrt(a.variance / a.count + b.variance / b.count);
  return { means: [a.mean, b.mean], t: error === 0 ? 0 : (a.mean - b.mean) / error };
}

/** A guess of the secret's length, made by the same work whatever is right in it. */
function makeGuess(secret: string, right: number, below: (limit: number) => number): string {
  for (;;) {
    const random = randomText(secret.length, below);
    if (random[right] === secret[right]) continue;
    // Through bytes, so that each is one flat text of its own.
    const guess = Buffer.from(random, 'latin1');
    guess.write(secret.slice(0, right), 'latin1');
    return guess.toString('latin1');
  }
}

/** Times guesses of two kinds in random turn: with nothing right in them, and right but for the last characters. */
async function measure(
  { name, make }: Comparison,
  count: number,
  below: (limit: number) => number,
): Promise<Timing> {
  const times: [number[], number[]] = [[], []];
  for (let n = -WARM_UP; n < 2 * count; n += BATCH) {
    // Made ahead, so that what making them leaves in caches and heap is the same for both kinds.
    const guesses = [];
    for (let i = 0; i < BATCH; i += 1) {
      const { secret, wrap = (guess: string) => guess, look } = await make(below);
      const kind = below(2) === 0 ? 0 : 1;
      guesses.push({
        kind,
        look,
        given: wrap(makeGuess(secret, kind * (secret.length - WRONG), below)),
      } as const);
    }
    for (const { kind, look, given } of guesses) {
      const before = process.hrtime.bigint();
      const answer = look(given);
      if (answer instanceof Promise) await answer;
      const took = Number(process.hrtime.bigint() - before);
      if (n >= 0) times[kind].push(took);
    }
  }
  return { name, ...welch(...times) };
}

/**
 * Whether the time that a comparison takes tells how much of a guess is right. In this process, where nothing hides it.
 *
 * @param count guesses of each kind, about
 */
export async function measureTimings(count: number, seed: number): Promise<Timing[]> {
  const random = generator(seed);
  const below = (limit: number) => Math.floor(random() * limit);
  const timings: Timing[] = [];
  for (const comparison of listComparisons()) timings.push(await measure(comparison, count, below));
  return timings;
}
