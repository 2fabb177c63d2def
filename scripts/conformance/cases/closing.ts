import { BINARY, CLOSE, CONTINUATION, encodeFrame, PING, TEXT } from '../raw-client.ts';
import { type Case, closing } from './case.ts';

/** Codes that may stand in a close frame: RFC 6455 section 7.4 and the IANA registry. */
const VALID = [
  1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 1012, 1013, 1014, 3000, 3999, 4000, 4999,
];
const INVALID = [0, 999, 1004, 1005, 1006, 1015, 1016, 1100, 2000, 2999, 5000, 65_535];

function closeFrame(code: number, reason: Buffer | string = ''): Buffer {
  const head = Buffer.alloc(2);
  head.writeUInt16BE(code);
  return Buffer.concat([head, Buffer.from(reason)]);
}

/** 7: closing. */
export const closes: Case[] = [
  {
    id: '7.1.1',
    title: 'a message, then close',
    async run(session) {
      await session.expectOpen();
      session.sendClose(1000);
      await session.expectClose(1000);
      await session.expectEnd();
    },
  },
  {
    id: '7.1.2',
    title: 'two close frames',
    async run(session) {
      session.client.write(
        Buffer.concat([1000, 1001].map((code) => encodeFrame(closeFrame(code), { opcode: CLOSE }))),
      );
      await session.expectClose(1000);
      await session.expectEnd();
    },
  },
  {
    id: '7.1.3',
    title: 'a ping behind the close frame has no pong',
    async run(session) {
      session.client.write(
        Buffer.concat([
          encodeFrame(closeFrame(1000), { opcode: CLOSE }),
          encodeFrame('late', { opcode: PING }),
        ]),
      );
      await session.expectClose(1000);
      await session.expectEnd();
    },
  },
  {
    id: '7.1.4',
    title: 'a message behind the close frame has no answer',
    async run(session) {
      session.client.write(
        Buffer.concat([encodeFrame(closeFrame(1000), { opcode: CLOSE }), encodeFrame(session.probe())]),
      );
      await session.expectClose(1000);
      await session.expectEnd();
    },
  },
  {
    id: '7.1.5',
    title: 'a close frame inside a fragmented message',
    async run(session) {
      session.client.write(
        Buffer.concat([
          encodeFrame('frag', { fin: false }),
          encodeFrame(closeFrame(1000), { opcode: CLOSE }),
          encodeFrame('ment', { opcode: CONTINUATION }),
        ]),
      );
      await session.expectClose(1000);
      await session.expectEnd();
    },
  },
  {
    id: '7.1.6',
    title: 'a large message, then close',
    async run(session, { maxPayloadBytes }) {
      session.send(session.probe('x'.repeat(maxPayloadBytes / 2)));
      session.sendClose(1000);
      await session.expectClose(1000);
    },
  },
  closing('7.3.1', 'a close frame without a code', null, [['', { opcode: CLOSE }]]),
  closing('7.3.2', 'half a code', 1002, [[Buffer.from([3]), { opcode: CLOSE }]]),
  closing('7.3.3', 'a code alone', 1000, [[closeFrame(1000), { opcode: CLOSE }]]),
  closing('7.3.4', 'a code and a reason', 1000, [[closeFrame(1000, 'Hello'), { opcode: CLOSE }]]),
  closing('7.3.5', 'the longest reason', 1000, [[closeFrame(1000, 'x'.repeat(123)), { opcode: CLOSE }]]),
  closing('7.3.6', 'too long a reason', 1002, [[closeFrame(1000, 'x'.repeat(124)), { opcode: CLOSE }]]),
  closing('7.3.7', 'a close frame in fragments', 1002, [[closeFrame(1000), { opcode: CLOSE, fin: false }]]),
  closing('7.5.1', 'a reason that is not UTF-8', 1007, [
    [closeFrame(1000, Buffer.from([0xce, 0xba, 0xed, 0xa0, 0x80])), { opcode: CLOSE }],
  ]),
  ...VALID.map((code, n) =>
    closing(`7.7.${n + 1}`, `code ${code} is answered alike`, code, [[closeFrame(code), { opcode: CLOSE }]]),
  ),
  ...INVALID.map((code, n) =>
    closing(`7.9.${n + 1}`, `code ${code} must not be sent`, 1002, [[closeFrame(code), { opcode: CLOSE }]]),
  ),
];

/** 9: limits. What is larger than allowed is refused by what its header says, without waiting for it. */
export const limits: Case[] = [
  ...([TEXT, BINARY] as const).flatMap((opcode, n): Case[] => {
    const kind = opcode === TEXT ? 'text' : 'binary';
    return [
      {
        id: `9.${n + 1}.1`,
        title: `${kind} of MAX_PAYLOAD_BYTES`,
        async run(session, { maxPayloadBytes }) {
          const probe = session.probe('x'.repeat(maxPayloadBytes - Buffer.byteLength(session.probe())));
          session.send(probe, { opcode });
          if (opcode === TEXT) await session.expectAnswer();
          else await session.expectOpen();
        },
      },
      {
        id: `9.${n + 1}.2`,
        title: `${kind} of one byte more`,
        async run(session, { maxPayloadBytes }) {
          session.send('x', { opcode, claim: BigInt(maxPayloadBytes + 1) });
          await session.expectClose(1009);
        },
      },
      {
        id: `9.${n + 1}.3`,
        title: `fragments of ${kind} that are too much together`,
        async run(session, { maxPayloadBytes }) {
          const half = 'x'.repeat(Math.ceil(maxPayloadBytes / 2) + 1);
          session.sendFragments([half, half], { opcode });
          await session.expectClose(1009);
        },
      },
    ];
  }),
  {
    id: '9.3.1',
    title: 'a header that claims 100 MB',
    async run(session) {
      session.send('x', { claim: 100_000_000n });
      await session.expectClose(1009);
    },
  },
  {
    id: '9.3.2',
    title: 'a header that claims 2^62 bytes',
    async run(session) {
      session.send('x', { claim: 1n << 62n });
      await session.expectClose(1009);
    },
  },
  {
    id: '9.4.1',
    title: 'a message of MAX_PAYLOAD_BYTES in 200 fragments',
    async run(session, { maxPayloadBytes }) {
      const probe = session.probe('x'.repeat(maxPayloadBytes - Buffer.byteLength(session.probe())));
      const size = Math.ceil(probe.length / 200);
      session.sendFragments(Array.from({ length: 200 }, (_, n) => probe.slice(n * size, (n + 1) * size)));
      await session.expectAnswer();
    },
  },
  {
    id: '9.4.2',
    title: '10000 tiny fragments of one message',
    async run(session) {
      session.sendFragments(
        Array.from({ length: 10_000 }, () => 'x'),
        { last: false },
      );
      await session.expectClose(1008);
    },
  },
  closing('9.5.1', 'a frame without a mask', 1002, [['Hello', { mask: false }]]),
  closing('9.5.2', 'a ping without a mask', 1002, [['Hello', { mask: false, opcode: PING }]]),
];
