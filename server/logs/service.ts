import type { LogHistory } from '../../shared/events.ts';
import type { CompleteLogEntry, Level, LogEntry } from '../../shared/log-entry.ts';
import type { LeaseManager, StreamStore } from '../cluster/types.ts';
import { AppError } from '../core/errors.ts';
import type { Logger } from '../core/types.ts';
import { normalizeHost } from '../ssh/address.ts';
import type { SshPool, SshTarget } from '../ssh/types.ts';
import { toEntry } from './entry.ts';
import { createFilter } from './filter.ts';
import { type HistoryPage, historyPage } from './history.ts';
import { createJournalReader } from './journal/reader.ts';
import type { JournalRecord } from './journal/record.ts';
import { createPositionCodec } from './position.ts';
import { createLogStream, type LogStream, type ViewerSession } from './stream.ts';
import { type FactsUnit, readUnitFacts, type UnitFacts } from './unit-facts.ts';
import type { LogSink, Viewer } from './viewer.ts';

export interface LogService {
  /**
   * Starts a viewer of a unit. The caller has checked that the session may watch the unit and that its login is proven.
   * @throws AppError invalid_position, invalid_pattern
   */
  subscribe(session: ViewerSession, unit: string, request: SubscribeRequest, sink: LogSink): Viewer;
  /** One page of history [SIO-5]. @throws AppError invalid_position, invalid_pattern and the SSH codes */
  history(
    session: ViewerSession,
    unit: string,
    request: Omit<LogHistory, 'service'>,
    signal: AbortSignal,
  ): Promise<HistoryPage>;
  /** Every entry of a span of time, oldest first, as fast as it is taken [LOG-8]. @throws AppError as history */
  download(session: ViewerSession, unit: string, request: DownloadRequest): AsyncGenerator<CompleteLogEntry>;
  /** Follows a host's journal from now on by field matches; for the status feed. @throws AppError as JournalReader.read */
  followJournal(
    target: SshTarget,
    query: { matches: readonly string[]; fields: readonly string[] },
    options: { signal: AbortSignal },
  ): AsyncIterable<readonly JournalRecord[]>;
  /** A unit's newest messages up to a moment (epoch ms), oldest first. @throws AppError as JournalReader.read */
  lastLines(
    target: SshTarget,
    unit: string,
    query: { count: number; untilMs: number },
    options: { signal: AbortSignal },
  ): Promise<string[]>;
  /** What the newest lines of units say about their chains; for the status feed. @throws AppError as JournalReader.read */
  unitFacts(
    target: SshTarget,
    units: readonly FactsUnit[],
    options: { sinceUs?: number | undefined; signal: AbortSignal },
  ): Promise<UnitFacts>;
  /** Streams with viewers here, and those of them that are read from their hosts here. */
  stats(): { streams: number; owned: number };
  stop(): Promise<void>;
}

export interface SubscribeRequest {
  after?: string | null | undefined;
  tail: number;
  level?: Level | null | undefined;
  grep?: string | null | undefined;
}

export interface DownloadRequest {
  sinceUs?: number | undefined;
  untilUs?: number | undefined;
  level?: Level | undefined;
  grep?: string | undefined;
  signal: AbortSignal;
}

export interface LogServiceDeps {
  pool: SshPool;
  store: StreamStore;
  leases: LeaseManager;
  /** Secrets that bind positions to their streams, newest first. */
  secrets: readonly string[];
  logger: Logger;
  onLines?(count: number): void;
}

/** Epoch microseconds of an instant as clients give it: ISO 8601 text or epoch milliseconds. */
function microseconds(instant: string | number | null | undefined): number | undefined {
  if (instant === null || instant === undefined) return undefined;
  return (typeof instant === 'number' ? instant : Date.parse(instant)) * 1000;
}

function complete(entry: LogEntry): CompleteLogEntry {
  const absent = {
    time: '',
    level: null,
    target: null,
    fields: {},
    pid: 0,
    identifier: '',
    continuation: false,
  };
  return { ...absent, message: entry.line, ...entry };
}

/** Logs of units on hosts: live streams shared by all viewers, history, downloads. */
export function createLogService(deps: LogServiceDeps): LogService {
  const reader = createJournalReader(deps);
  const streams = new Map<string, LogStream>();
  const ending = new Set<Promise<void>>();

  /** One stream per host, user and unit for the whole cluster [LOG-1]; the name also binds the positions. */
  const streamName = (target: SshTarget, unit: string) =>
    [
      normalizeHost(target.host)?.name ?? target.host,
      target.port,
      target.username,
      target.hostKey ?? '',
      unit,
    ]
      .map((part) => encodeURIComponent(part))
      .join('/');
  const codecOf = (target: SshTarget, unit: string) =>
    createPositionCodec(deps.secrets, streamName(target, unit));

  function streamOf(target: SshTarget, unit: string): LogStream {
    const name = streamName(target, unit);
    const running = streams.get(name);
    if (running) return running;
    const stream = createLogStream({
      ...deps,
      name,
      unit,
      reader,
      codec: codecOf(target, unit),
      onEnd() {
        // From here on a new subscriber gets a new stream; this one's lease is free in a moment.
        if (streams.get(name) === stream) streams.delete(name);
        const ended = Promise.resolve().then(() => stream.stop());
        ending.add(ended);
        void ended.finally(() => ending.delete(ended));
      },
    });
    streams.set(name, stream);
    return stream;
  }

  function historyDeps(target: SshTarget, unit: string) {
    const codec = codecOf(target, unit);
    const toEntries = (records: readonly JournalRecord[]) => records.map((record) => toEntry(record, codec));
    return { reader, target, source: { unit }, codec, toEntries };
  }

  let stopped: Promise<void> | null = null;
  async function stop(): Promise<void> {
    await Promise.all([...streams.values()].map((stream) => stream.stop()));
    await Promise.all(ending);
  }

  return {
    subscribe(session, unit, request, sink) {
      if (stopped) throw new AppError('draining');
      const { after } = request;
      const filter = createFilter(request);
      if (after) codecOf(session.target, unit).decode(after);
      const start = after ? { after } : { tail: request.tail };
      return streamOf(session.target, unit).view(session, sink, start, filter);
    },
    async history(session, unit, request, signal) {
      const history = historyDeps(session.target, unit);
      return historyPage(
        history,
        {
          before: request.before ? history.codec.decode(request.before) : undefined,
          after: request.after ? history.codec.decode(request.after) : undefined,
          sinceUs: microseconds(request.since),
          untilUs: microseconds(request.until),
          limit: request.limit ?? undefined,
          filter: createFilter(request),
        },
        signal,
      );
    },
    async *download(session, unit, request) {
      const { toEntries, source, target } = historyDeps(session.target, unit);
      const filter = createFilter(request);
      const query = {
        source,
        start: { since: request.sinceUs },
        ...(request.untilUs === undefined ? {} : { untilUs: request.untilUs }),
      };
      for await (const records of reader.read(target, query, request.signal)) {
        for (const entry of toEntries(records)) if (!filter || filter(entry)) yield complete(entry);
      }
    },
    followJournal: (target, source, { signal }) =>
      reader.read(target, { source, start: { lines: 0 }, follow: true }, signal),
    async lastLines(target, unit, { count, untilMs }, { signal }) {
      // Newest first: with --until, `--lines` alone counts from the journal's end and may find nothing (systemd 252).
      const query = { source: { unit }, start: { lines: count }, untilUs: untilMs * 1000, reverse: true };
      const lines: string[] = [];
      for await (const records of reader.read(target, query, signal)) {
        // What systemd itself says about the unit is the change, not what came before it.
        for (const record of records) if (record.pid !== 1) lines.push(record.message);
      }
      return lines.reverse();
    },
    unitFacts: (target, units, options) => readUnitFacts(reader, target, units, options),
    stats: () => ({
      streams: streams.size,
      owned: [...streams.values()].filter((stream) => stream.owns()).length,
    }),
    stop: () => (stopped ??= stop()),
  };
}
