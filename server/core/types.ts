/** The logger as everything below `core` sees it. Fields are data, never interpolated; secrets are redacted by key and by shape. */
export interface Logger {
  debug(message: string, fields?: Record<string, unknown>): void;
  info(message: string, fields?: Record<string, unknown>): void;
  warn(message: string, fields?: Record<string, unknown>): void;
  error(message: string, fields?: Record<string, unknown>): void;
  /** A logger that adds these fields to each line. */
  child(fields: Record<string, unknown>): Logger;
}

/** Something started that can be stopped: once or twice, awaited. */
export interface Stoppable {
  stop(): Promise<void>;
}
