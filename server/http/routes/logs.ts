import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { Router } from 'express';
import { z } from 'zod';
import { instantSchema, MAX_PATTERN } from '../../../shared/events.ts';
import { type CompleteLogEntry, levelSchema } from '../../../shared/log-entry.ts';
import { normalizeUnit } from '../../../shared/unit-name.ts';
import { clientAddress } from '../../core/client-address.ts';
import { AppError } from '../../core/errors.ts';
import { createSlots } from '../../core/slots.ts';
import { escapeUnsafe, sanitize } from '../../logs/ansi.ts';
import { requireSession } from '../guards.ts';
import { requestIdOf } from '../request-context.ts';
import type { HttpDeps, LogDownloadRequest } from '../types.ts';
import { parseInput } from '../validation.ts';

/** An instant as the events take it, with its number in digits; to epoch milliseconds. */
const instant = z
  .preprocess(
    (text) => (typeof text === 'string' && /^\d{1,16}$/.test(text) ? Number(text) : text),
    instantSchema,
  )
  .transform((value) => (typeof value === 'number' ? value : Date.parse(value)))
  .optional();

export const logQuerySchema = z.object({
  since: instant,
  until: instant,
  level: levelSchema.optional(),
  grep: z.string().min(1).max(MAX_PATTERN).optional(),
  format: z.enum(['ndjson', 'txt']).default('ndjson'),
});

/**
 * Downloads that one session may have going on at an instance: each is a process on the host for as long as the client
 * takes to read, and holds one of its channels.
 */
const DOWNLOADS = { slots: 3, waiting: 0 };
/** How often a download looks whether its session still lives, in ms: a logout ends it within 1 s, like a socket [SIO-8]. */
const SESSION_POLL_MS = 500;

/** A download may be paused for this long, in ms; other answers are cut much sooner. */
const PAUSE_MS = 600_000;

/** Text gathered before it is written, in characters: few large writes instead of one a line. */
const CHUNK = 64 * 1024;

/** Further lines of one message stand indented, so that none can pass for an entry of its own. */
const INDENT = '\n    ';

/**
 * ndjson has every character of the line, those that act on a terminal as JSON escapes. txt is for reading: the same
 * characters are made visible or, where they belong to an escape sequence, left out.
 */
const FORMATS = {
  ndjson: {
    contentType: 'application/x-ndjson; charset=utf-8',
    write: (entry: CompleteLogEntry) => `${escapeUnsafe(JSON.stringify(entry))}\n`,
  },
  txt: {
    contentType: 'text/plain; charset=utf-8',
    write: ({ time, identifier, line }: CompleteLogEntry) =>
      `${time} ${sanitize(identifier ?? '')} ${sanitize(line)}`.replace(/\r?\n/g, INDENT).concat('\n'),
  },
} as const;

/** Download of a unit's journal [LOG-8]; reads the host only as fast as the client takes it. */
export function logRoutes(deps: HttpDeps): Router {
  const router = Router();
  const downloads = createSlots(DOWNLOADS);
  router.get('/api/logs/:service', async (req, res) => {
    const { session, token } = await requireSession(req, deps.sessions);
    const service = normalizeUnit(req.params.service);
    if (service === null || !(session.units ?? deps.config.allowedUnits).includes(service)) {
      throw new AppError('invalid_service');
    }
    const { format, ...query } = parseInput(logQuerySchema, req.query);
    res.socket?.setTimeout(PAUSE_MS);
    const gone = new AbortController();
    res.once('close', () => gone.abort());
    if (res.destroyed) return;
    const free = await downloads.take(session.id, gone.signal);
    const watch = setInterval(() => {
      // While the store is away nothing is decided, as for sockets.
      const found = deps.sessions.get(token).catch(() => session);
      void found.then((still) => still ?? gone.abort());
    }, SESSION_POLL_MS);

    const request: LogDownloadRequest = {
      session,
      clientAddress: clientAddress(req, deps.trust),
      service,
      ...withoutUndefined(query),
      signal: gone.signal,
    };
    const entries = deps.downloads.download(request)[Symbol.asyncIterator]();
    try {
      // The first entry before the headers: what fails until then is answered as an error.
      const first = await entries.next();
      if (gone.signal.aborted) throw new AppError('invalid_session');
      res.set({
        'Content-Type': FORMATS[format].contentType,
        'Content-Disposition': `attachment; filename="${service.replace(/[^A-Za-z0-9._@-]/g, '_')}.${format}"`,
        'Cache-Control': 'no-store',
      });
      const lines = Readable.from(chunks(first, entries, FORMATS[format].write));
      await pipeline(lines, res, { signal: gone.signal });
    } catch (error) {
      if (!res.headersSent) throw error;
      // The connection is cut, so the client sees that the file is not complete.
      if (!gone.signal.aborted) {
        deps.logger.warn('Download broke off', {
          requestId: requestIdOf(res),
          session: session.id,
          service,
          error,
        });
      }
    } finally {
      clearInterval(watch);
      gone.abort();
      free();
      await entries.return?.();
    }
  });
  return router;
}

async function* chunks(
  first: IteratorResult<CompleteLogEntry>,
  entries: AsyncIterator<CompleteLogEntry>,
  write: (entry: CompleteLogEntry) => string,
): AsyncGenerator<string> {
  let text = '';
  for (let next = first; !next.done; next = await entries.next()) {
    text += write(next.value);
    if (text.length >= CHUNK) {
      yield text;
      text = '';
    }
  }
  if (text !== '') yield text;
}

/** Drops properties that are undefined, which optional properties may not be. */
function withoutUndefined<T extends object>(value: T): { [K in keyof T]: Exclude<T[K], undefined> } {
  return Object.fromEntries(Object.entries(value).filter(([, entry]) => entry !== undefined)) as {
    [K in keyof T]: Exclude<T[K], undefined>;
  };
}
