/** What a simulated command gets from the connection it runs on. */
export interface CommandIo {
  /** Standard output. Resolves when more may be written: at once, after the reader caught up, or when it went away. */
  out(data: string | Buffer): Promise<void>;
  /** Standard error; short texts only. */
  err(text: string): void;
  /** Aborts when the reader is gone. */
  signal: AbortSignal;
  /** Epoch ms. */
  now(): number;
}
