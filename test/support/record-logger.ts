import type { Logger } from '../../server/core/types.ts';

export interface RecordLogger extends Logger {
  /** What was logged from info upwards, one text a line: level, message, fields as JSON. */
  readonly lines: string[];
}

/** A logger that remembers instead of writing. */
export function createRecordLogger(): RecordLogger {
  const lines: string[] = [];
  const at =
    (level: string) =>
    (message: string, fields: Record<string, unknown> = {}): void => {
      lines.push(`${level} ${message} ${JSON.stringify(fields)}`);
    };
  const logger: RecordLogger = {
    lines,
    debug() {},
    info: at('info'),
    warn: at('warn'),
    error: at('error'),
    child: () => logger,
  };
  return logger;
}
