import { createServer, type RequestListener } from 'node:http';
import type { AddressInfo } from 'node:net';
import { Server, type Socket } from 'socket.io';
import { errorPayload } from '../../shared/errors.ts';
import type {
  ClientToServerEvents,
  LogHistory,
  ServerToClientEvents,
  SubscribeLogs,
} from '../../shared/events.ts';
import { LEVELS, type LogEntry } from '../../shared/log-entry.ts';
import type { UnitStatus } from '../../shared/node-status.ts';

type ServerSocket = Socket<ClientToServerEvents, ServerToClientEvents>;

/** A gateway that keeps the protocol on a real Socket.IO server, with journals in memory that a test writes. */
export interface FakeGateway {
  readonly url: string;
  /** Events received from clients, in order: `subscribe_logs execution after=12`. */
  readonly received: string[];
  /** Connections accepted so far. */
  readonly accepted: number;
  readonly connected: number;
  /** Writes lines to a service's journal; subscribers get them in one batch. */
  write(service: string, ...lines: (string | Omit<LogEntry, 'id'>)[]): void;
  /** Forgets the oldest lines up to and including this number. */
  vacuum(service: string, upTo: number): void;
  sendStatus(statuses: UnitStatus[]): void;
  /** Cuts all connections at the transport, as a network failure does. */
  cut(): void;
  emit<E extends keyof ServerToClientEvents>(event: E, ...args: Parameters<ServerToClientEvents[E]>): void;
  /** The next subscribes are answered with this error, each entry once. */
  readonly refusals: Parameters<typeof errorPayload>[0][];
  /** The same for status subscribes. */
  readonly statusRefusals: Parameters<typeof errorPayload>[0][];
  /** Hosts of tokens; the others are for node-1.example. */
  readonly hosts: Map<string, string>;
  /** Token that is valid; null: any. */
  validToken: string | null;
  stop(): Promise<void>;
}

interface Journal {
  lines: LogEntry[];
  vacuumedTo: number;
}

/** @param options.pages answers everything that is not Socket.IO */
export async function startFakeGateway(
  options: { port?: number; pages?: RequestListener } = {},
): Promise<FakeGateway> {
  const http = createServer(options.pages);
  const io = new Server<ClientToServerEvents, ServerToClientEvents>(http, { pingInterval: 10_000 });
  const journals = new Map<string, Journal>();
  const received: string[] = [];
  const refusals: FakeGateway['refusals'] = [];
  const statusRefusals: FakeGateway['statusRefusals'] = [];
  const hosts = new Map<string, string>();
  let accepted = 0;

  const gateway: FakeGateway = {
    url: '',
    received,
    refusals,
    statusRefusals,
    hosts,
    validToken: null,
    get accepted() {
      return accepted;
    },
    get connected() {
      return io.engine.clientsCount;
    },
    write(service, ...lines) {
      const journal = journalOf(service);
      const entries = lines.map((line) => {
        const number = journal.vacuumedTo + journal.lines.length + 1;
        const time = new Date(1_700_000_000_000 + number).toISOString().replace('Z', '000Z');
        const entry = { id: `${service}:${number}`, time, ...(typeof line === 'string' ? { line } : line) };
        journal.lines.push(entry);
        return entry;
      });
      io.to(`logs:${service}`).emit('log_batch', { service, entries });
    },
    vacuum(service, upTo) {
      const journal = journalOf(service);
      journal.lines = journal.lines.filter((entry) => numberOf(entry.id) > upTo);
      journal.vacuumedTo = upTo;
    },
    sendStatus(statuses) {
      io.to('status').emit('status_update', statuses);
    },
    cut() {
      for (const socket of io.sockets.sockets.values()) socket.conn.close(true);
    },
    emit(event, ...args) {
      io.emit(event, ...args);
    },
    async stop() {
      await io.close();
    },
  };

  function journalOf(service: string): Journal {
    let journal = journals.get(service);
    if (journal === undefined) {
      journal = { lines: [], vacuumedTo: 0 };
      journals.set(service, journal);
    }
    return journal;
  }

  function subscribe(socket: ServerSocket, request: SubscribeLogs): boolean {
    const { service, after, tail } = request;
    const journal = journalOf(service);
    let recovered = true;
    const count = tail ?? 50;
    let entries = count === 0 ? [] : journal.lines.slice(-count);
    if (after != null) {
      recovered = numberOf(after) >= journal.vacuumedTo;
      entries = journal.lines.filter((entry) => numberOf(entry.id) > numberOf(after));
      if (!recovered) {
        const to = entries[0]?.id ?? null;
        socket.emit('log_gap', { service, from: after, to, reason: 'journal_vacuumed' });
      }
    }
    if (entries.length > 0) socket.emit('log_batch', { service, entries });
    socket.join(`logs:${service}`);
    return recovered;
  }

  function history(request: LogHistory): { entries: LogEntry[]; hasMore: boolean } {
    const { lines } = journalOf(request.service);
    const { before, after, since, level, grep } = request;
    const limit = request.limit ?? 200;
    const forward = before == null && (after != null || since != null);
    const pattern =
      grep == null ? null : new RegExp(grep.replace('(?i)', ''), grep.startsWith('(?i)') ? 'i' : '');
    const least = level == null ? 0 : LEVELS.indexOf(level);
    const wanted = lines.filter(
      (entry) =>
        (before == null || numberOf(entry.id) < numberOf(before)) &&
        (after == null || numberOf(entry.id) > numberOf(after)) &&
        (entry.level == null || LEVELS.indexOf(entry.level) >= least) &&
        (pattern === null || pattern.test(entry.line)),
    );
    const entries = forward ? wanted.slice(0, limit) : wanted.slice(-limit);
    return { entries, hasMore: wanted.length > limit };
  }

  io.use((socket, next) => {
    const { token } = socket.handshake.auth as { token?: string };
    if (gateway.validToken === null || token === gateway.validToken) next();
    else next(new Error('Authentication error: Invalid or expired session.'));
  });
  io.on('connection', (socket) => {
    accepted += 1;
    const { token } = socket.handshake.auth as { token?: string };
    socket.emit('authenticated', {
      host: hosts.get(token ?? '') ?? 'node-1.example',
      username: 'ops',
      expiresAt: '2030-01-01T00:00:00.000Z',
    });
    socket.on('subscribe_logs', (request, ack) => {
      const from = request.after == null ? `tail=${request.tail ?? 50}` : `after=${request.after}`;
      received.push(`subscribe_logs ${request.service} ${from}${request.batch === true ? ' batch' : ''}`);
      const refusal = refusals.shift();
      if (refusal !== undefined) ack?.({ ok: false, error: errorPayload(refusal) });
      else ack?.({ ok: true, recovered: subscribe(socket, request) });
    });
    socket.on('unsubscribe_logs', (request, ack) => {
      received.push(`unsubscribe_logs ${request.service}`);
      socket.leave(`logs:${request.service}`);
      ack?.({ ok: true });
    });
    socket.on('log_history', (request, ack) => {
      received.push(`log_history ${request.service} before=${request.before ?? ''}`);
      ack({ ok: true, ...history(request) });
    });
    socket.on('subscribe_status', (request, ack) => {
      received.push(`subscribe_status ${request?.interval}`);
      const refusal = statusRefusals.shift();
      if (refusal !== undefined) return ack?.({ ok: false, error: errorPayload(refusal) });
      socket.join('status');
      ack?.({ ok: true });
    });
    socket.on('unsubscribe_status', () => {
      received.push('unsubscribe_status');
      socket.leave('status');
    });
  });

  await new Promise<void>((resolve) => {
    http.listen(options.port ?? 0, '127.0.0.1', resolve);
  });
  const { port } = http.address() as AddressInfo;
  return Object.assign(gateway, { url: `http://127.0.0.1:${port}` });
}

/** Ids are `service:number`. */
function numberOf(id: string): number {
  return Number(id.slice(id.lastIndexOf(':') + 1));
}
