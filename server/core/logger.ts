import type { Writable } from 'node:stream';
import winston from 'winston';
import { redactValue } from './redaction.ts';
import type { Logger } from './types.ts';

export interface LoggerOptions {
  level: 'error' | 'warn' | 'info' | 'debug';
  format: 'json' | 'pretty';
  /** Where lines go; standard output unless given. */
  stream?: Writable;
}

/**
 * The log of a process. `json`: one object a line with time, level, message and the fields. `pretty`: for people at a
 * terminal. In both, secrets are redacted and control characters escaped before a line is written [HTTP-3].
 */
export function createLogger(options: LoggerOptions): Logger {
  const backend = winston.createLogger({
    level: options.level,
    format: winston.format.combine(
      winston.format.timestamp(),
      options.format === 'json' ? winston.format.json() : winston.format.printf(prettyLine),
    ),
    transports: [
      options.stream
        ? new winston.transports.Stream({ stream: options.stream })
        : new winston.transports.Console({ stderrLevels: [] }),
    ],
  });
  return wrap(backend, {});
}

/** A logger that drops everything, for tests and tools. */
export function createSilentLogger(): Logger {
  const drop = (): void => undefined;
  const logger: Logger = { debug: drop, info: drop, warn: drop, error: drop, child: () => logger };
  return logger;
}

type Level = 'debug' | 'info' | 'warn' | 'error';

function wrap(backend: winston.Logger, bound: Record<string, unknown>): Logger {
  const write = (level: Level, message: string, fields: Record<string, unknown> | undefined): void => {
    if (!backend.isLevelEnabled(level)) return;
    const safe = redactValue({ ...bound, ...fields });
    backend.log({ level, message: String(redactValue(message)), fields: safe });
  };
  return {
    debug: (message, fields) => write('debug', message, fields),
    info: (message, fields) => write('info', message, fields),
    warn: (message, fields) => write('warn', message, fields),
    error: (message, fields) => write('error', message, fields),
    child: (fields) => wrap(backend, { ...bound, ...fields }),
  };
}

const LEVEL_NAMES: Record<string, string> = { debug: 'DEBUG', info: 'INFO ', warn: 'WARN ', error: 'ERROR' };

function prettyLine(info: winston.Logform.TransformableInfo): string {
  const time = String(info.timestamp).slice(11, 23);
  const fields = Object.entries(isRecord(info.fields) ? info.fields : {})
    .filter(([, value]) => value !== undefined)
    .map(([name, value]) => `${name}=${typeof value === 'string' ? value : JSON.stringify(value)}`);
  return [time, LEVEL_NAMES[info.level] ?? info.level, info.message, ...fields].join(' ');
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null;
}
