import type { Endpoint } from './endpoints.ts';
import {
  type Base,
  BINARY,
  CLOSE,
  CONTINUATION,
  connectRaw,
  encodeFrame,
  type FrameOptions,
  PING,
  PONG,
  type RawClient,
  TEXT,
} from './raw-client.ts';

/** Something the server did otherwise than RFC 6455 says. */
export class Miss extends Error {}

/** One connection of one case: sends frames, and holds what comes back to expectations. */
export interface Session {
  readonly endpoint: Endpoint;
  readonly client: RawClient;
  send(payload: Buffer | string, options?: FrameOptions): void;
  /** One message in several frames: the texts or buffers in turn. */
  sendFragments(parts: readonly (Buffer | string)[], options?: { opcode?: number; last?: boolean }): void;
  /** A close frame. @param code null: without one */
  sendClose(code: number | null, reason?: Buffer | string): void;
  /** The endpoint's probe, `pad` characters long inside. */
  probe(pad?: string): string;
  /** The answer to a probe comes, and nothing before it but other messages, which are no errors. */
  expectAnswer(): Promise<void>;
  /** Any message comes: an answer or an error. */
  expectReply(): Promise<void>;
  expectPong(payload: Buffer | string): Promise<void>;
  /** The server closes with this code (null: a close frame without one), after messages only. */
  expectClose(code: number | null): Promise<void>;
  /** The connection ends without any more messages or pongs. */
  expectEnd(): Promise<void>;
  /** It still works: a probe is answered, whatever else is. */
  expectOpen(): Promise<void>;
}

/** Opens a connection to an endpoint and takes what it says first. @throws Miss where it is not let in */
export async function openSession(base: Base, endpoint: Endpoint): Promise<Session> {
  const client = await connectRaw(base, { path: endpoint.path, headers: endpoint.headers ?? {} });
  if (client.status !== 101) throw new Miss(`upgrade refused with ${client.status}`);

  async function takeMessage(): Promise<string> {
    const frame = await client.take();
    if (!frame) throw new Miss('the connection ended instead of an answer');
    if (frame.opcode === CLOSE) {
      const code = frame.payload.length >= 2 ? frame.payload.readUInt16BE(0) : 'no code';
      throw new Miss(`closed with ${code} instead of an answer`);
    }
    if (frame.opcode !== TEXT && frame.opcode !== BINARY)
      throw new Miss(`opcode ${frame.opcode} instead of an answer`);
    return frame.payload.toString();
  }

  const session: Session = {
    endpoint,
    client,
    send: (payload, options) => client.write(encodeFrame(payload, options)),
    sendFragments(parts, { opcode = TEXT, last = true } = {}) {
      for (const [at, part] of parts.entries()) {
        session.send(part, {
          opcode: at === 0 ? opcode : CONTINUATION,
          fin: last && at === parts.length - 1,
        });
      }
    },
    sendClose(code, reason = '') {
      const head = Buffer.alloc(code === null ? 0 : 2);
      if (code !== null) head.writeUInt16BE(code);
      session.send(Buffer.concat([head, Buffer.from(reason)]), { opcode: CLOSE });
    },
    probe: (pad = '') => endpoint.probe(pad),
    async expectAnswer() {
      for (let text = await takeMessage(); !endpoint.isAnswer(text); text = await takeMessage()) {
        if (/"code":|"type":"error"/.test(text))
          throw new Miss(`an error instead of an answer: ${text.slice(0, 200)}`);
      }
    },
    async expectReply() {
      await takeMessage();
    },
    async expectPong(payload) {
      const frame = await client.take();
      if (frame?.opcode !== PONG) throw new Miss(`opcode ${frame?.opcode ?? 'none'} instead of a pong`);
      if (!frame.payload.equals(Buffer.from(payload))) throw new Miss('the pong has another payload');
    },
    async expectClose(code) {
      for (;;) {
        const frame = await client.take();
        if (!frame) throw new Miss(`the connection ended without a close frame, instead of ${code}`);
        if (frame.opcode === TEXT || frame.opcode === BINARY) continue;
        if (frame.opcode !== CLOSE) throw new Miss(`opcode ${frame.opcode} instead of a close frame`);
        const got = frame.payload.length === 0 ? null : frame.payload.readUInt16BE(0);
        if (got !== code) throw new Miss(`close code ${got} instead of ${code}`);
        return;
      }
    },
    async expectEnd() {
      const frame = await client.take();
      if (frame) throw new Miss(`opcode ${frame.opcode} after the close frame`);
    },
    async expectOpen() {
      session.send(session.probe());
      while (!endpoint.isAnswer(await takeMessage()));
    },
  };
  for (let n = 0; n < endpoint.greetings; n += 1) await takeMessage();
  return session;
}

export { BINARY, CLOSE, CONTINUATION, PING, PONG, TEXT };
