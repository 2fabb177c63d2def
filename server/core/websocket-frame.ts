/** What kind of message a text travels in. */
export type FrameKind = 'text' | 'binary';

/** FIN and the opcode, RFC 6455 section 5.2. */
const FIRST_BYTE: Record<FrameKind, number> = { text: 0x81, binary: 0x82 };

/** Writes the header of an unmasked final frame of `length` bytes (RFC 6455 section 5.2). @returns its own length */
function writeHeader(into: Buffer, length: number, kind: FrameKind): number {
  into[0] = FIRST_BYTE[kind];
  if (length < 126) {
    into[1] = length;
    return 2;
  }
  if (length < 65_536) {
    into[1] = 126;
    into.writeUInt16BE(length, 2);
    return 4;
  }
  into[1] = 127;
  into.writeBigUInt64BE(BigInt(length), 2);
  return 10;
}

/** One message as the bytes a server sends: one unmasked, uncompressed frame with the text in UTF-8. */
export function textFrame(text: string, kind: FrameKind = 'text'): Buffer {
  const length = Buffer.byteLength(text);
  const frame = Buffer.allocUnsafe(length + (length < 126 ? 2 : length < 65_536 ? 4 : 10));
  frame.write(text, writeHeader(frame, length, kind));
  return frame;
}

/** Messages that go to one or many connections together. */
export interface Frames {
  readonly kind: FrameKind;
  readonly texts: readonly string[];
  /** All of them as frames, one behind the other: the same bytes for every connection. */
  readonly bytes: Buffer;
}

/**
 * Turns lists of messages into frames, each message and each list once however many connections it goes to. The list
 * itself is the key: senders that hand the same array to all receivers make them share one buffer.
 *
 * @param encode the text of one message, or null where this form has none for it
 */
export function createFrameCache<M extends object>(
  encode: (message: M) => string | null,
  kind: FrameKind = 'text',
): (messages: readonly M[]) => Frames {
  const single = new WeakMap<M, Frames>();
  const lists = new WeakMap<readonly M[], Frames>();

  function one(message: M): Frames {
    let frames = single.get(message);
    if (!frames) {
      const text = encode(message);
      frames =
        text === null
          ? { kind, texts: [], bytes: Buffer.alloc(0) }
          : { kind, texts: [text], bytes: textFrame(text, kind) };
      single.set(message, frames);
    }
    return frames;
  }

  return (messages) => {
    const [first] = messages;
    if (first && messages.length === 1) return one(first);
    let frames = lists.get(messages);
    if (!frames) {
      const parts = messages.map(one);
      frames = {
        kind,
        texts: parts.flatMap(({ texts }) => texts),
        bytes: Buffer.concat(parts.map(({ bytes }) => bytes)),
      };
      lists.set(messages, frames);
    }
    return frames;
  };
}
