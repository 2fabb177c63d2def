import type { Case, Limits } from './cases/case.ts';
import { closes, limits } from './cases/closing.ts';
import { fragmentation, framing, opcodes, pings, reservedBits } from './cases/frames.ts';
import { utf8 } from './cases/text.ts';
import type { Endpoint } from './endpoints.ts';
import { type Base, connectRaw } from './raw-client.ts';
import { openSession } from './session.ts';

/** Cases that run at a time: enough to keep a core busy, few enough for time-outs to mean something. */
const PARALLEL = 4;

export const SECTIONS: Readonly<Record<string, readonly Case[]>> = {
  '1 framing': framing,
  '2 pings and pongs': pings,
  '3 reserved bits': reservedBits,
  '4 opcodes': opcodes,
  '5 fragmentation': fragmentation,
  '6 UTF-8': utf8,
  '7 closing': closes,
  '9 limits': limits,
};

export interface Miss {
  endpoint: string;
  id: string;
  title: string;
  what: string;
}

export interface Outcome {
  endpoint: string;
  /** By section: cases that held, and cases run. */
  sections: Map<string, { held: number; run: number }>;
  misses: Miss[];
}

/** Runs the cases that `wanted` lets through against one endpoint, each on a connection of its own. */
export async function runCases(
  base: Base,
  endpoint: Endpoint,
  server: Limits,
  wanted: (one: Case) => boolean = () => true,
): Promise<Outcome> {
  const outcome: Outcome = { endpoint: endpoint.name, sections: new Map(), misses: [] };
  const queue = Object.entries(SECTIONS).flatMap(([section, cases]) =>
    cases.filter(wanted).map((one) => ({ section, one })),
  );

  async function runOne(section: string, one: Case): Promise<void> {
    const tally = outcome.sections.get(section) ?? { held: 0, run: 0 };
    outcome.sections.set(section, tally);
    tally.run += 1;
    try {
      const session = await openSession(base, endpoint);
      try {
        await one.run(session, server);
      } finally {
        session.client.destroy();
      }
      tally.held += 1;
    } catch (error) {
      const what = error instanceof Error ? error.message : String(error);
      outcome.misses.push({ endpoint: endpoint.name, id: one.id, title: one.title, what });
    }
  }

  const workers = Array.from({ length: PARALLEL }, async () => {
    for (let next = queue.shift(); next; next = queue.shift()) await runOne(next.section, next.one);
  });
  await Promise.all(workers);
  return outcome;
}

/** Upgrades that RFC 6455 section 4.2.1 has refused, and what stands for a good one. */
export async function runHandshakes(base: Base, endpoint: Endpoint): Promise<Outcome> {
  const misses: Miss[] = [];
  const cases: [id: string, title: string, headers: Record<string, string | null>, statuses: number[]][] = [
    ['0.1', 'a good upgrade', {}, [101]],
    [
      '0.2',
      'header values in another case',
      { Connection: 'keep-alive, upgrade', Upgrade: 'WebSocket' },
      [101],
    ],
    ['0.3', 'no key', { 'Sec-WebSocket-Key': null }, [400]],
    ['0.4', 'a key of the wrong length', { 'Sec-WebSocket-Key': 'c2hvcnQ=' }, [400]],
    ['0.5', 'no version', { 'Sec-WebSocket-Version': null }, [400, 426]],
    ['0.6', 'an unknown version', { 'Sec-WebSocket-Version': '99' }, [400, 426]],
    ['0.7', 'a malformed list of extensions', { 'Sec-WebSocket-Extensions': 'permessage-deflate; =' }, [400]],
    ['0.8', 'an extension that nobody knows', { 'Sec-WebSocket-Extensions': 'x-unknown' }, [101]],
    ['0.9', 'a foreign Origin', { Origin: 'https://foreign.example' }, [403]],
    ['0.10', 'the Origin null', { Origin: 'null' }, [403]],
  ];
  for (const [id, title, headers, statuses] of cases) {
    let what = '';
    try {
      const client = await connectRaw(base, {
        path: endpoint.path,
        headers: { ...endpoint.headers, ...headers },
      });
      client.destroy();
      if (!statuses.includes(client.status))
        what = `status ${client.status} instead of ${statuses.join(' or ')}`;
      if (client.headers.has('sec-websocket-extensions')) what = 'an extension that was not offered';
    } catch (error) {
      what = error instanceof Error ? error.message : String(error);
    }
    if (what !== '') misses.push({ endpoint: endpoint.name, id, title, what });
  }
  const tally = { held: cases.length - misses.length, run: cases.length };
  return { endpoint: endpoint.name, sections: new Map([['0 handshake', tally]]), misses };
}
