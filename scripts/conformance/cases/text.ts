import type { Case } from './case.ts';

const bytes = (hex: string): Buffer => Buffer.from(hex.replaceAll(' ', ''), 'hex');

/** Sequences that are UTF-8, among them the first and last of each length (RFC 3629 section 3). */
const VALID: readonly [string, string][] = [
  ['Greek', 'ce ba e1 bd b9 cf 83 ce bc ce b5'],
  ['U+0080', 'c2 80'],
  ['U+07FF', 'df bf'],
  ['U+0800', 'e0 a0 80'],
  ['U+FFFF', 'ef bf bf'],
  ['U+FFFE', 'ef bf be'],
  ['U+10000', 'f0 90 80 80'],
  ['U+10FFFF', 'f4 8f bf bf'],
  ['U+D7FF', 'ed 9f bf'],
  ['U+E000', 'ee 80 80'],
  ['U+FFFD', 'ef bf bd'],
  ['a byte order mark inside', 'ef bb bf'],
];

/** Sequences that are not. */
const INVALID: readonly [string, string][] = [
  ['a lone continuation byte', '80'],
  ['two lone continuation bytes', '80 bf'],
  ['a lone start of two', 'c2'],
  ['a lone start of three', 'e0'],
  ['two bytes of three', 'e2 82'],
  ['three bytes of four', 'f0 9f 98'],
  ['a start of two before ASCII', 'c2 20'],
  ['overlong /, two bytes', 'c0 af'],
  ['overlong /, three bytes', 'e0 80 af'],
  ['overlong /, four bytes', 'f0 80 80 af'],
  ['overlong U+007F', 'c1 bf'],
  ['overlong U+FFFF', 'f0 8f bf bf'],
  ['surrogate U+D800', 'ed a0 80'],
  ['surrogate U+DFFF', 'ed bf bf'],
  ['a pair of surrogates', 'ed a0 80 ed b0 80'],
  ['U+110000', 'f4 90 80 80'],
  ['five bytes', 'f8 88 80 80 80'],
  ['byte FE', 'fe'],
  ['byte FF', 'ff'],
  ['Greek with a surrogate behind', 'ce ba e1 bd b9 cf 83 ce bc ce b5 ed a0 80 65 64 69 74 65 64'],
];

/** 6: text is UTF-8. */
export const utf8: Case[] = [
  {
    id: '6.1.1',
    title: 'three empty fragments are a message',
    async run(session) {
      session.sendFragments(['', '', '']);
      await session.expectReply();
      await session.expectOpen();
    },
  },
  ...VALID.map(
    ([what, hex], n): Case => ({
      id: `6.2.${n + 1}`,
      title: `${what} is text`,
      async run(session) {
        session.send(session.probe(bytes(hex).toString()));
        await session.expectAnswer();
      },
    }),
  ),
  {
    id: '6.2.13',
    title: 'characters cut by fragments: one byte each',
    async run(session) {
      const all = Buffer.from(session.probe('κόσμε \u{1f600}'));
      session.sendFragments([...all].map((byte) => Buffer.from([byte])));
      await session.expectAnswer();
    },
  },
  ...INVALID.map(
    ([what, hex], n): Case => ({
      id: `6.3.${n + 1}`,
      title: `${what} is not text`,
      async run(session) {
        session.send(bytes(hex));
        await session.expectClose(1007);
      },
    }),
  ),
  {
    id: '6.4.1',
    title: 'not text, in fragments cut inside a character',
    async run(session) {
      session.sendFragments([bytes('ce ba f4'), bytes('90 80 80')]);
      await session.expectClose(1007);
    },
  },
  {
    id: '6.4.2',
    title: 'not text, byte by byte in fragments',
    async run(session) {
      session.sendFragments([...bytes('ce ba ed a0 80 20')].map((byte) => Buffer.from([byte])));
      await session.expectClose(1007);
    },
  },
];
