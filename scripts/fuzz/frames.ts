import { deflateRawSync } from 'node:zlib';
import { generator, mutator } from './mutate.ts';
import { MESSAGE_SYNTAX, withNastyValue } from './nasty-json.ts';
import { type Outcome, run } from './run.ts';
import { UPGRADED } from './sender.ts';
import type { Target } from './target.ts';

/** Messages in sound frames on one connection; a mutated frame follows, behind which a server may not look at anything. */
const MESSAGES = 9;
const ID = '3f2b8a52-5d1c-4e0b-9a5e-1f2d3c4b5a69';

interface Endpoint {
  path: string;
  headers?: readonly string[];
  seeds: readonly string[];
}

const NEXUS = [
  '{"action":"subscribe","channel":"fuzz","filters":{"kind":"a","deep.path":1}}',
  '{"action":"unsubscribe","channel":"fuzz"}',
  '{"action":"publish","channel":"fuzz","payload":{"kind":"a","deep":{"path":1}}}',
  '{"action":"ping"}',
];
const ECHO = [
  '{"type":"message","content":{"text":"hello"}}',
  '{"type":"keepalive"}',
  '{"type":"message","content":"hello","room":"fuzz"}',
];
const MB = [
  `request:system.topic.subscribe:1.0.0:${ID}\n{"topic":"fuzz.+.#","action":"both"}`,
  `request:system.topic.unsubscribe:1.0.0:${ID}\n{"topic":"fuzz.+.#"}`,
  `request:system.heartbeat:1.0.0:${ID}\n{}`,
  'publish:fuzz.a.b:1.0.0\n{"value":1}',
  `request:fuzz.a:1.0.0:${ID}::100\n{"value":1}`,
  `response:fuzz.a:1.0.0:${ID}:${ID}\n{"value":1}`,
];
const KEYS = [
  '{"type":"validate"}',
  '{"type":"heartbeat"}',
  '{"type":"validate","key":"k","hwid":"h","serviceId":"s"}',
];

const endpoints = ({ jwt, roomToken }: Target): Endpoint[] => [
  { path: `/ws?token=${jwt}`, seeds: NEXUS },
  { path: `/mb?token=${jwt}`, seeds: MB },
  { path: '/ws', headers: [`Sec-WebSocket-Protocol: mb, bearer.${jwt}`], seeds: MB },
  { path: `/fuzz?token=${roomToken}`, seeds: ECHO },
  { path: `/rooms/fuzz?token=${roomToken}`, seeds: ECHO },
  { path: '/?serviceId=s&hwid=h&key=k', seeds: KEYS },
];

/** A masked frame whose first byte may be anything, and whose header may claim a length of its own (RFC 6455 section 5.2). */
export function frame(
  first: number,
  payload: Buffer,
  below: (limit: number) => number,
  claim: number = payload.length,
): Buffer {
  const head =
    claim < 126
      ? Buffer.from([first, 0x80 | claim])
      : claim < 65_536
        ? Buffer.from([first, 0xfe, claim >> 8, claim & 255])
        : Buffer.concat([Buffer.from([first, 0xff]), Buffer.alloc(8)]);
  if (claim >= 65_536) head.writeBigUInt64BE(BigInt(claim), 2);
  const mask = below(0x1_0000_0000);
  const key = Buffer.alloc(4);
  key.writeUInt32BE(mask);
  const body = Buffer.from(payload);
  for (let at = 0; at < body.length; at += 1) body[at] = (body[at] ?? 0) ^ (key[at & 3] ?? 0);
  return Buffer.concat([head, key, body]);
}

/** Makes frames that are wrong in one of the ways the protocol knows, or in any. */
function wildFrames(below: (limit: number) => number): (payload: Buffer) => Buffer {
  const bytes = (length: number) => Buffer.from(Array.from({ length }, () => below(256)));
  // A thousandth of what it becomes; 4 MiB are over every limit.
  const bomb = deflateRawSync(Buffer.alloc(4 * 1024 * 1024));
  const code = (value: number) => Buffer.from([value >> 8, value & 255]);
  const kinds: readonly ((payload: Buffer) => Buffer)[] = [
    (payload) => frame(below(256), payload, below),
    (payload) => frame(0x81, payload, below, payload.length + below(0x7fff_ffff)),
    (payload) => frame(0x82, payload, below, Number.MAX_SAFE_INTEGER),
    (payload) => frame(0x89, Buffer.concat([payload, bytes(120)]), below),
    () => frame(0x09, bytes(5), below),
    (payload) => frame(0x80, payload, below),
    (payload) => Buffer.concat([frame(0x01, payload, below), frame(0x01, payload, below)]),
    (payload) =>
      Buffer.concat(
        Array.from({ length: 200 }, (_, n) => frame(n ? 0x00 : 0x01, payload.subarray(n, n + 1), below)),
      ),
    () =>
      Buffer.concat(Array.from({ length: 2000 }, (_, n) => frame(n ? 0x00 : 0x01, Buffer.alloc(0), below))),
    () => frame(0x81, bytes(1 + below(60)), below),
    () => frame(0x88, code(below(65_536)), below),
    () => frame(0x88, bytes(below(125)), below),
    () => frame(0xc1, bomb, below),
    () => frame(0xc1, bytes(1 + below(60)), below),
    (payload) =>
      Buffer.concat([
        frame(0x89, bytes(8), below),
        frame(0x8a, bytes(8), below),
        frame(0x81, payload, below),
      ]),
    (payload) => Buffer.concat([Buffer.from([0x81, payload.length & 0x7f]), payload]),
    (payload) => frame(0x81, payload, below).subarray(0, 1 + below(payload.length + 4)),
    () => bytes(1 + below(100)),
  ];
  return (payload) => (kinds[below(kinds.length)] ?? frame.bind(null, 0x81))(payload, below, payload.length);
}

/** Puts a nasty value into the JSON behind the header line, where there is one. */
function nastyMessage(seed: string, below: (limit: number) => number): string {
  const line = seed.startsWith('{') ? 0 : seed.indexOf('\n') + 1;
  return seed.slice(0, line) + withNastyValue(seed.slice(line), below);
}

/**
 * Sends mutated messages and frames to every plain WebSocket address of a server.
 *
 * @param count inputs, nine messages in ten and one broken frame
 * @param seed the same seed makes the same inputs
 * @throws Error that says what went wrong
 */
export function fuzzFrames(count: number, seed: number, report: (text: string) => void): Promise<Outcome> {
  const random = generator(seed);
  const below = (limit: number) => Math.floor(random() * limit);
  const mutate = mutator(seed + 1, MESSAGE_SYNTAX);
  const wild = wildFrames(below);

  function message(seeds: readonly string[]): Buffer {
    const pick = () => seeds[below(seeds.length)] ?? '';
    const text = below(2) === 0 ? nastyMessage(pick(), below) : mutate(pick(), pick());
    return Buffer.from(text);
  }
  function soundFrames(payload: Buffer): Buffer {
    if (below(8) === 0) {
      const at = below(payload.length + 1);
      const parts = [frame(0x01, payload.subarray(0, at), below), frame(0x80, payload.subarray(at), below)];
      return Buffer.concat(parts);
    }
    return frame(below(8) === 0 ? 0x82 : 0x81, payload, below);
  }

  return run(
    {
      room: 'fuzz',
      async prepare(target) {
        const all = endpoints(target);
        return () => {
          const { path, headers = [], seeds } = all[below(all.length)] ?? { path: '/', seeds: [] };
          const parts = Array.from({ length: MESSAGES }, () => soundFrames(message(seeds)));
          parts.push(wild(message(seeds)));
          const offer = below(4) === 0 ? ['Sec-WebSocket-Extensions: permessage-deflate'] : [];
          const after = below(4) === 0 ? null : UPGRADED;
          const steps = [{ after, bytes: Buffer.concat(parts) }];
          const shot = { path, headers: [...headers, ...offer], steps };
          return { shot, inputs: parts.length };
        };
      },
    },
    count,
    report,
  );
}
