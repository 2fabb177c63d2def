import type { SinkOptions } from './sink-types.ts';

/** One way to get lines to many viewers. */
export interface Candidate {
  readonly name: string;
  /** How a viewer connects. */
  readonly sink: Omit<SinkOptions, 'sockets'>;
  /** What every Socket.IO viewer asks for when it is connected; absent where connecting is enough. */
  readonly subscription?: object;
  /** Lines of one burst: enough for a measurement of about a second. */
  readonly burst: number;
  /** User and system time of the server so far, in ms. */
  cpuMs(): number;
  /** The same for a store beside it. */
  storeCpuMs?(): number;
  /**
   * Publishes lines, as fast as they go or at a rate a second.
   * @returns when the first one could go, in ms of `now()`
   */
  publish(from: number, count: number, rate: number | null): Promise<number>;
  stop(): Promise<void>;
}
