import { encodeFrame, type FrameOptions } from '../raw-client.ts';
import type { Session } from '../session.ts';

/** One thing that RFC 6455 says, to be shown on a connection of its own. Numbers are near those of the Autobahn suite. */
export interface Case {
  id: string;
  title: string;
  run(session: Session, limits: Limits): Promise<void>;
}

/** What the server under test is set to. */
export interface Limits {
  maxPayloadBytes: number;
}

/** A probe of exactly so many bytes. */
export function probeOf(session: Session, bytes: number): string {
  return session.probe('x'.repeat(bytes - Buffer.byteLength(session.probe())));
}

/** The server closes with this code after these frames. */
export function closing(
  id: string,
  title: string,
  code: number | null,
  frames: readonly (readonly [payload: Buffer | string, options?: FrameOptions])[],
): Case {
  return {
    id,
    title,
    async run(session) {
      session.client.write(Buffer.concat(frames.map(([payload, options]) => encodeFrame(payload, options))));
      await session.expectClose(code);
    },
  };
}
