import { connect, type Socket } from 'node:net';
import { markdownTable } from '../markdown-table.ts';
import { startGoodClients } from './good-client.ts';
import { type Newcomers, startNewcomers } from './newcomers.ts';
import { startTarget } from './target.ts';

/** Between two pieces that a slow client sends, in ms. */
const STEP_MS = 1000;
/** Connections that are opened at a time. */
const OPENING = 200;
/** What has not been cut after this long, in ms, is counted as held. */
const WATCH_MS = 15_000;
const ROOM = 'slow';

/** A way to keep connections busy for nothing. */
interface Slowness {
  name: string;
  /** Sent at once. */
  first: string;
  /** Sent piece by piece, one every STEP_MS. */
  piece(n: number): string;
}

const HEAD = 'Host: 127.0.0.1\r\nUser-Agent: slow\r\n';
const UPGRADE = 'Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n';
const KEY = 'Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n';
const WHOLE_UPGRADE = `GET /ws?token=x HTTP/1.1\r\n${HEAD}${UPGRADE}${KEY}\r\n`;
/** A masked text frame. */
const frame = (text: string) => {
  const body = Buffer.from(text);
  return Buffer.concat([Buffer.from([0x81, 0x80 | body.length, 0, 0, 0, 0]), body]).toString('latin1');
};

export const SLOWNESSES: readonly Slowness[] = [
  { name: 'says nothing', first: '', piece: () => '' },
  {
    name: 'headers, one a second',
    first: `GET / HTTP/1.1\r\n${HEAD}`,
    piece: (n) => `X-Slow-${n}: ${n}\r\n`,
  },
  {
    name: 'body, a byte a second',
    first: `POST /api/sessions HTTP/1.1\r\n${HEAD}Content-Type: application/json\r\nContent-Length: 5000\r\n\r\n`,
    piece: () => ' ',
  },
  { name: 'upgrade, a byte a second', first: '', piece: (n) => WHOLE_UPGRADE[n] ?? ' ' },
  {
    name: 'Socket.IO, opened and silent',
    first: `GET /socket.io/?EIO=4&transport=websocket HTTP/1.1\r\n${HEAD}${UPGRADE}${KEY}\r\n`,
    piece: () => '',
  },
  {
    name: 'Socket.IO, joined without a token, pongs',
    first: `GET /socket.io/?EIO=4&transport=websocket HTTP/1.1\r\n${HEAD}${UPGRADE}${KEY}\r\n`,
    piece: (n) => frame(n === 0 ? '40' : '3'),
  },
  {
    name: 'Socket.IO, polling and never again',
    first: `GET /socket.io/?EIO=4&transport=polling HTTP/1.1\r\n${HEAD}Connection: close\r\n\r\n`,
    piece: () => '',
  },
];

interface Lives {
  name: string;
  opened: number;
  /** Longest life of a connection that was cut, in s. */
  longestS: number;
  /** Connections that were still open at the end. */
  held: number;
}

/** Lives, and what well-behaved newcomers from the same address tried meanwhile, and how much of it worked. */
export type SlowOutcome = Lives & Awaited<ReturnType<Newcomers['stop']>>;

/** Opens so many connections of one kind, and waits until the server has cut them. */
async function attack(port: number, { first, piece, name }: Slowness, count: number): Promise<Lives> {
  const open = new Map<Socket, number>();
  let longestS = 0;
  let opened = 0;
  let sent = 0;

  const openOne = () =>
    new Promise<void>((resolve) => {
      const socket = connect(port, '127.0.0.1', () => {
        opened += 1;
        open.set(socket, performance.now());
        if (first !== '') socket.write(first, 'latin1');
        resolve();
      });
      socket.resume();
      socket.on('error', () => {});
      socket.on('close', () => {
        const began = open.get(socket);
        if (began !== undefined) longestS = Math.max(longestS, (performance.now() - began) / 1000);
        open.delete(socket);
        resolve();
      });
    });

  const steps = setInterval(() => {
    const next = piece(sent);
    sent += 1;
    if (next !== '') for (const socket of open.keys()) socket.write(next, 'latin1');
  }, STEP_MS);
  try {
    for (let left = count; left > 0; left -= OPENING)
      await Promise.all(Array.from({ length: Math.min(left, OPENING) }, openOne));
    const end = performance.now() + WATCH_MS;
    while (open.size > 0 && performance.now() < end) await new Promise((resolve) => setTimeout(resolve, 50));
  } finally {
    clearInterval(steps);
  }
  const held = open.size;
  for (const socket of open.keys()) socket.destroy();
  return { name, opened, longestS, held };
}

/**
 * Attacks a server with slow connections beside good clients.
 *
 * @param count connections of each kind
 * @param groups kinds that come at the same time, one group after the other; each kind on its own unless told
 * @throws Error where the server or one of its regular clients suffers
 */
export async function holdConnections(
  count: number,
  report: (text: string) => void = () => {},
  groups: readonly (readonly Slowness[])[] = SLOWNESSES.map((kind) => [kind]),
): Promise<SlowOutcome[]> {
  const target = await startTarget(ROOM);
  try {
    const regulars = await startGoodClients(target);
    const outcomes: SlowOutcome[] = [];
    for (const kinds of groups) {
      const names = kinds.map(({ name }) => name).join('; ');
      report(names);
      const newcomers = await startNewcomers(target);
      const lives = await Promise.all(kinds.map((kind) => attack(target.port, kind, count)));
      const served = await newcomers.stop();
      outcomes.push(...lives.map((one) => ({ ...one, ...served })));
      const fault = target.fault() ?? regulars.fault();
      if (fault !== null) throw new Error(`${names}: ${fault}`);
    }
    await regulars.stop();
    return outcomes;
  } finally {
    await target.stop();
  }
}

/** `npm run fuzz -- slow` (fault S4). @param count connections of each kind */
export async function fuzzSlow(count: number, _seed: number, report: (text: string) => void): Promise<void> {
  const outcomes = await holdConnections(count, report);
  const row = (one: SlowOutcome) => [
    one.name,
    String(one.opened),
    one.longestS.toFixed(1),
    String(one.held),
    `${one.good}/${one.tries}`,
    one.slowestMs.toFixed(0),
  ];
  const head = ['Connections that', 'Opened', 'Longest life, s', 'Held', 'Newcomers served', 'Slowest, ms'];
  report(`\n${markdownTable(head, outcomes.map(row))}`);
  const bad = outcomes.filter(({ held, good, tries }) => held > 0 || good < 0.999 * tries);
  if (bad.length > 0) throw new Error(`not sound: ${bad.map(({ name }) => name).join('; ')}`);
}
