import { BINARY, CONTINUATION, encodeFrame, PING, PONG, TEXT } from '../raw-client.ts';
import { type Case, closing, probeOf } from './case.ts';

const SIZES = [125, 126, 127, 128, 65_535, 65_536];

/** 1: frames of all lengths. */
export const framing: Case[] = [
  {
    id: '1.1.1',
    title: 'an empty text message is a message',
    async run(session) {
      session.send('');
      await session.expectReply();
      await session.expectOpen();
    },
  },
  ...SIZES.map(
    (size, n): Case => ({
      id: `1.1.${n + 2}`,
      title: `text of ${size} bytes`,
      async run(session) {
        session.send(probeOf(session, size));
        await session.expectAnswer();
      },
    }),
  ),
  {
    id: '1.1.8',
    title: 'text of 65536 bytes in TCP segments of 997',
    async run(session) {
      await session.client.writeChopped(encodeFrame(probeOf(session, 65_536)), 997);
      await session.expectAnswer();
    },
  },
  ...[0, ...SIZES].map(
    (size, n): Case => ({
      id: `1.2.${n + 1}`,
      title: `binary of ${size} bytes leaves the connection as it is`,
      async run(session) {
        session.send(size === 0 ? '' : probeOf(session, size), { opcode: BINARY });
        await session.expectOpen();
      },
    }),
  ),
  {
    id: '1.2.8',
    title: 'binary that is not UTF-8 leaves the connection as it is',
    async run(session) {
      session.send(Buffer.from([0xff, 0xfe, 0x00]), { opcode: BINARY });
      // What it is answered with, if with anything, is up to the dialect.
      session.send('', { opcode: PING });
      for (let pong = false; !pong; ) {
        const frame = await session.client.take();
        if (!frame || frame.opcode > PONG || (frame.opcode > BINARY && frame.opcode < PONG)) {
          throw new Error('the connection did not stay as it is');
        }
        pong = frame.opcode === PONG;
      }
    },
  },
];

const ping = (id: string, title: string, payload: Buffer | string, chop?: number): Case => ({
  id,
  title,
  async run(session) {
    const frame = encodeFrame(payload, { opcode: PING });
    if (chop) await session.client.writeChopped(frame, chop);
    else session.client.write(frame);
    await session.expectPong(payload);
  },
});

/** 2: pings and pongs. */
export const pings: Case[] = [
  ping('2.1', 'ping without payload', ''),
  ping('2.2', 'ping with text', 'Hello, world!'),
  ping(
    '2.3',
    'ping with bytes that are not UTF-8',
    Buffer.from([0x00, 0xff, 0xfe, 0xfd, 0xfc, 0xfb, 0x00, 0xff]),
  ),
  ping('2.4', 'ping of 125 bytes', Buffer.alloc(125, 0xfe)),
  closing('2.5', 'ping of 126 bytes is too long', 1002, [[Buffer.alloc(126, 0xfe), { opcode: PING }]]),
  ping('2.6', 'ping of 125 bytes, byte by byte', Buffer.alloc(125, 0xfe), 1),
  ...['', 'unasked'].map(
    (payload, n): Case => ({
      id: `2.${7 + n}`,
      title: `unsolicited pong ${payload === '' ? 'without' : 'with'} payload is let pass`,
      async run(session) {
        session.send(payload, { opcode: PONG });
        await session.expectOpen();
      },
    }),
  ),
  {
    id: '2.9',
    title: 'unsolicited pong, then a ping',
    async run(session) {
      session.send('unasked', { opcode: PONG });
      session.send('asked', { opcode: PING });
      await session.expectPong('asked');
    },
  },
  ...[0, 1].map(
    (chop): Case => ({
      id: `2.${10 + chop}`,
      title: `ten pings, ten pongs in order${chop ? ', byte by byte' : ''}`,
      async run(session) {
        const payloads = Array.from({ length: 10 }, (_, n) => `payload-${n}`);
        const bytes = Buffer.concat(payloads.map((payload) => encodeFrame(payload, { opcode: PING })));
        if (chop) await session.client.writeChopped(bytes, 1);
        else session.client.write(bytes);
        for (const payload of payloads) await session.expectPong(payload);
      },
    }),
  ),
];

/** 3: reserved bits, which nobody has agreed on. RSV1 without permessage-deflate is one of them. */
export const reservedBits: Case[] = [1, 2, 3, 4, 5, 6, 7].map((rsv, n) =>
  closing(`3.${n + 1}`, `reserved bits ${rsv.toString(2).padStart(3, '0')}`, 1002, [
    ['Hello', { rsv, opcode: rsv === 5 ? BINARY : rsv === 6 ? PING : TEXT }],
  ]),
);

/** 4: opcodes that mean nothing. */
export const opcodes: Case[] = [
  ...[3, 4, 5, 6, 7].map((opcode, n) =>
    closing(`4.1.${n + 1}`, `reserved data opcode ${opcode}`, 1002, [[n % 2 ? 'reserved' : '', { opcode }]]),
  ),
  ...[11, 12, 13, 14, 15].map((opcode, n) =>
    closing(`4.2.${n + 1}`, `reserved control opcode ${opcode}`, 1002, [
      [n % 2 ? 'reserved' : '', { opcode }],
    ]),
  ),
];

/** A message in `parts` fragments of about the same length. */
function split(text: string, parts: number): string[] {
  const size = Math.ceil(text.length / parts);
  return Array.from({ length: parts }, (_, n) => text.slice(n * size, (n + 1) * size));
}

const inFragments = (id: string, title: string, parts: number, pinged: boolean, chop?: number): Case => ({
  id,
  title,
  async run(session) {
    const fragments = split(session.probe('x'.repeat(parts)), parts);
    const frames: Buffer[] = [];
    for (const [at, part] of fragments.entries()) {
      if (pinged && at > 0) frames.push(encodeFrame(`ping-${at}`, { opcode: PING }));
      frames.push(encodeFrame(part, { opcode: at === 0 ? TEXT : CONTINUATION, fin: at === parts - 1 }));
    }
    const bytes = Buffer.concat(frames);
    if (chop) await session.client.writeChopped(bytes, chop);
    else session.client.write(bytes);
    if (pinged) for (let at = 1; at < parts; at += 1) await session.expectPong(`ping-${at}`);
    await session.expectAnswer();
  },
});

const CONT = { opcode: CONTINUATION } as const;
const OPEN_CONT = { opcode: CONTINUATION, fin: false } as const;

/** 5: fragmentation. */
export const fragmentation: Case[] = [
  closing('5.1', 'a ping cannot be fragmented', 1002, [
    ['frag', { opcode: PING, fin: false }],
    ['ment', CONT],
  ]),
  closing('5.2', 'a pong cannot be fragmented', 1002, [
    ['frag', { opcode: PONG, fin: false }],
    ['ment', CONT],
  ]),
  inFragments('5.3', 'text in two fragments', 2, false),
  inFragments('5.4', 'text in two fragments, in pieces of seven bytes', 2, false, 7),
  inFragments('5.5', 'text in two fragments, byte by byte', 2, false, 1),
  inFragments('5.6', 'a ping between two fragments', 2, true),
  inFragments('5.7', 'a ping between two fragments, in pieces of seven bytes', 2, true, 7),
  inFragments('5.8', 'a ping between two fragments, byte by byte', 2, true, 1),
  closing('5.9', 'a last continuation of nothing', 1002, [['end', CONT]]),
  {
    id: '5.10',
    title: 'a last continuation of nothing, byte by byte',
    async run(session) {
      await session.client.writeChopped(encodeFrame('end', CONT), 1);
      await session.expectClose(1002);
    },
  },
  closing('5.11', 'an empty continuation of nothing', 1002, [['', CONT]]),
  closing('5.12', 'a continuation of nothing that goes on', 1002, [['more', OPEN_CONT]]),
  closing('5.13', 'a continuation of nothing that goes on, then text', 1002, [['more', OPEN_CONT], ['text']]),
  closing('5.14', 'an empty continuation of nothing that goes on', 1002, [['', OPEN_CONT]]),
  {
    id: '5.15',
    title: 'a whole fragmented message, then a continuation of nothing',
    async run(session) {
      session.sendFragments(split(session.probe(), 2));
      await session.expectAnswer();
      session.send('more', OPEN_CONT);
      await session.expectClose(1002);
    },
  },
  closing('5.16', 'continuation of nothing, text, continuation of nothing', 1002, [
    ['a', OPEN_CONT],
    ['b'],
    ['c', CONT],
  ]),
  closing('5.17', 'text inside a fragmented message', 1002, [['frag', { fin: false }], ['text']]),
  closing('5.18', 'binary inside a fragmented message', 1002, [
    ['frag', { fin: false }],
    ['bin', { opcode: BINARY }],
  ]),
  inFragments('5.19', 'five fragments with pings in between', 5, true),
  inFragments('5.20', 'forty fragments', 40, false),
  {
    id: '5.21',
    title: 'empty fragments before, between and behind',
    async run(session) {
      const [first = '', second = ''] = split(session.probe(), 2);
      session.sendFragments(['', '', first, '', second, '']);
      await session.expectAnswer();
    },
  },
  {
    id: '5.22',
    title: 'fragmented binary leaves the connection as it is',
    async run(session) {
      session.sendFragments(split(session.probe(), 3), { opcode: BINARY });
      await session.expectOpen();
    },
  },
];
