import closeWithGrace from 'close-with-grace';
import type { Config, ConfigResult } from './config.ts';
import { SettingError } from './core/errors.ts';
import { foreignOwner } from './core/foreign-code.ts';
import { createLogger } from './core/logger.ts';
import type { Logger, Stoppable } from './core/types.ts';

/** A whole server, built but not yet listening. */
export interface App extends Stoppable {
  /** Resolves once it accepts connections. @returns its address as a browser would take it, with the real port */
  listen(): Promise<{ url: string }>;
  /** Reads files that may have been replaced anew; never throws. */
  reload(): void;
}

export type CreateApp = (config: Config, logger: Logger) => Promise<App>;

/** Longest orderly stop, in ms; then the process ends anyway: [RUN-5] allows 10 s in all. */
const STOP_TIMEOUT_MS = 9_500;
/** Errors that nothing caught: most of them stop us, see `runProcess`. */
const FAULTS = ['uncaughtException', 'unhandledRejection'] as const;
/** Events of close-with-grace that do not stop us: faults that JavaScript cannot handle safely, the end of all work, SIGHUP. */
const NOT_HANDLED = [
  ...FAULTS,
  'SIGHUP',
  'SIGILL',
  'SIGTRAP',
  'SIGABRT',
  'SIGBUS',
  'SIGFPE',
  'SIGSEGV',
  'SIGUSR2',
  'beforeExit',
] satisfies closeWithGrace.AllEvents[];

/**
 * The life of the server's process [RUN-4] [RUN-5]: complains about every faulty variable at once, starts, says when it
 * is ready, stops in order on SIGTERM and SIGINT with exit code 0, at once with code 1 on a second one. SIGHUP has the TLS
 * files read anew and never ends it. An error that nothing caught is logged and ends the process in order with code 1;
 * where it comes from a room handler of the user's, it is only logged [WS-2].
 */
export async function runProcess(settings: ConfigResult, createApp: CreateApp): Promise<void> {
  if (!settings.ok) {
    const lines = ['Tailwire cannot start. These variables are not right:', ...settings.problems];
    process.stderr.write(`${lines.join('\n  - ')}\nEvery variable is explained in .env.example.\n`);
    process.exitCode = 1;
    return;
  }
  const { config } = settings;
  const logger = createLogger({ level: config.logLevel, format: config.logFormat });
  let app: App | undefined;
  let failed = false;
  let stopping = false;

  const closing = closeWithGrace(
    {
      delay: STOP_TIMEOUT_MS,
      skip: NOT_HANDLED,
      logger: { error: (error: unknown) => logger.error('Stopping failed', { error }) },
      onTimeout: (ms) => logger.error('Stopping took too long', { ms }),
      onSecondSignal: (signal) => logger.warn('Stopping at once', { signal }),
    },
    async ({ signal }) => {
      stopping = true;
      if (signal) logger.info('Stopping', { signal });
      await app?.stop();
      if (failed) process.exit(1);
    },
  );

  function fail(error: unknown): void {
    const room = foreignOwner();
    if (room !== undefined) {
      logger.error('room handler left an error that nothing caught', { room, error });
      return;
    }
    if (stopping) {
      logger.error('Stopping at once', { error });
      process.exit(1);
    }
    logger.error('Nothing caught this error; stopping', { error });
    failed = true;
    closing.close();
  }
  for (const event of FAULTS) process.on(event, fail);

  // Where the terminal has gone, the line of the log cannot be written, which ends the process as any other error.
  process.on('SIGHUP', () => {
    logger.info('SIGHUP');
    app?.reload();
  });

  for (const notice of config.notices) logger.info(notice);
  try {
    app = await createApp(config, logger);
    const { url } = await app.listen();
    process.stdout.write(`Tailwire ready on ${url}\n`);
  } catch (error) {
    const reason = error instanceof SettingError ? error.message : listenProblem(error, config);
    if (reason === null) logger.error('Tailwire cannot start', { error });
    else process.stderr.write(`Tailwire cannot start: ${reason}\n`);
    failed = true;
    closing.close();
  }
}

/** A sentence for the errors of listen(2) that an operator can mend. */
function listenProblem(error: unknown, config: Config): string | null {
  const code = error instanceof Error && 'code' in error ? error.code : undefined;
  const at = `${config.host}:${config.port}`;
  if (code === 'EADDRINUSE') return `${at} is in use. Stop the other process, or set PORT to another port.`;
  if (code === 'EACCES') return `this user may not listen on ${at}. Set PORT to 1024 or above.`;
  if (code === 'EADDRNOTAVAIL' || code === 'ENOTFOUND')
    return `this machine has no address ${config.host}. Set HOST.`;
  return null;
}
