import { fileURLToPath } from 'node:url';
import { createJwts } from '../../server/rooms/tokens/jwt.ts';
import { createRoomTokens } from '../../server/rooms/tokens/room-token.ts';
import { askChild, endChild, hasEnded, startChild } from '../bench/child.ts';
import { waitFor } from '../lab/wait.ts';

const JWT_SECRET = 'the JWT secret of the fuzzed server';
const HMAC_SECRET = 'the HMAC secret of the fuzzed server';
/** Output that is kept, in characters: what a failure is explained by. */
const OUTPUT_MAX = 20_000;

/** A server in a process of its own, with every dialect on and a demo node. */
export interface Target {
  readonly port: number;
  readonly jwt: string;
  readonly roomToken: string;
  /** Resident memory after a garbage collection, in bytes. @throws Error where objects have got a property from outside */
  residentBytes(): Promise<number>;
  /** Sum of a counter of /metrics, or of its rows with this text. */
  counted(metric: string, text?: string): Promise<number>;
  /** Why it is not sound: it has ended, or logged an error of its own; null where nothing is wrong. */
  fault(): string | null;
  /** A session on the demo node. @returns its token */
  login(): Promise<string>;
  stop(): Promise<void>;
}

/** @param env settings beside those that every target has */
export async function startTarget(room: string, env: Record<string, string> = {}): Promise<Target> {
  const root = new URL('../../', import.meta.url);
  const probe = fileURLToPath(new URL('scripts/bench/memory-probe.mjs', root));
  const words = ['--expose-gc', `--import=${probe}`, '--import=tsx', 'server/main.ts'];
  const child = startChild(process.execPath, words, {
    cwd: fileURLToPath(root),
    stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
    env: {
      PATH: process.env.PATH ?? '',
      NODE_ENV: 'development',
      EMBEDDED: '1',
      HOST: '127.0.0.1',
      PORT: '0',
      JWT_SECRET,
      HMAC_SECRET,
      // Every message is to be looked at.
      MESSAGE_RATE: '1000000',
      HTTP_RATE: '10000',
      LOG_LEVEL: 'warn',
      ...env,
    },
  });
  let output = '';
  let firstError: string | null = null;
  for (const stream of [child.stdout, child.stderr]) {
    stream?.on('data', (chunk: Buffer) => {
      const text = chunk.toString();
      firstError ??= /^.*\berror\b.*(failed|exception|rejection).*$/im.exec(text)?.[0] ?? null;
      output = (output + text).slice(-OUTPUT_MAX);
    });
  }
  const stop = () => endChild(child, 15_000);
  try {
    const port = await waitFor(
      'the server to be ready',
      () => {
        if (hasEnded(child)) throw new Error(`The server did not start:\n${output}`);
        return Number(/Tailwire ready on http:\/\/\S+:(\d+)/.exec(output)?.[1]) || undefined;
      },
      { timeoutMs: 30_000, describe: () => output },
    );
    const jwt = await createJwts({ secret: JWT_SECRET }).issue({ userId: 'fuzz', role: 'agent' }, 86_400);
    const roomToken = createRoomTokens({ secret: HMAC_SECRET }).issue({
      clientId: 'fuzz',
      room,
      expiresInS: 86_400,
    });
    return {
      port,
      jwt,
      roomToken: roomToken.token,
      async residentBytes() {
        type Answer = { kind: string; rss: number; polluted: boolean };
        const answer = await askChild<Answer>(child, { do: 'memory' }, 'memory', 30_000);
        if (answer.polluted) throw new Error('the prototype of all objects has got a new property');
        return answer.rss;
      },
      async counted(metric, text = '') {
        const rows = (await (await fetch(`http://127.0.0.1:${port}/metrics`)).text()).split('\n');
        const fits = rows.filter((row) => row.startsWith(`${metric}{`) && row.includes(text));
        return fits.reduce((sum, row) => sum + Number(row.slice(row.lastIndexOf(' '))), 0);
      },
      fault: () => (hasEnded(child) ? `the server has ended:\n${output}` : firstError),
      async login() {
        const response = await fetch(`http://127.0.0.1:${port}/api/sessions`, {
          method: 'POST',
          headers: { 'content-type': 'application/json' },
          body: '{"demo":true}',
        });
        if (response.status !== 201) throw new Error(`login: ${response.status} ${await response.text()}`);
        return ((await response.json()) as { token: string }).token;
      },
      stop,
    };
  } catch (error) {
    await stop();
    throw error;
  }
}
