import { Counter, collectDefaultMetrics, Gauge, Histogram, Registry } from 'prom-client';

interface MetricRow {
  kind: 'counter' | 'gauge' | 'histogram';
  help: string;
  /** Label names; each may only take a handful of values. No host, user, unit, address or token is ever a label. */
  labels: readonly string[];
  /** Upper bounds of a histogram's buckets. */
  buckets?: readonly number[];
}

/** Every metric of our own, in one table; Node's own (`process_*`, `nodejs_*`) come beside them. */
export const METRICS = {
  tailwire_http_requests_total: {
    kind: 'counter',
    help: 'HTTP requests answered, by route pattern and status class.',
    labels: ['method', 'route', 'status'],
  },
  tailwire_http_request_seconds: {
    kind: 'histogram',
    help: 'Time from an HTTP request to the end of its answer, in seconds.',
    labels: ['route'],
    buckets: [0.005, 0.02, 0.1, 0.5, 1, 2.5, 5, 10],
  },
  tailwire_ready: { kind: 'gauge', help: '1 while /readyz says so.', labels: [] },
  tailwire_sockets: { kind: 'gauge', help: 'Open client connections.', labels: ['kind'] },
  tailwire_unknown_connections: {
    kind: 'gauge',
    help: 'Connections that have not said who they are or what they want, by kind.',
    labels: ['kind'],
  },
  tailwire_turned_out_total: {
    kind: 'counter',
    help: 'Such connections that were ended because their address had too many, by kind.',
    labels: ['kind'],
  },
  tailwire_rooms: { kind: 'gauge', help: 'Rooms with members on this instance.', labels: [] },
  tailwire_room_deliveries_total: {
    kind: 'counter',
    help: 'Room messages handed to members on this instance.',
    labels: [],
  },
  tailwire_websocket_messages_total: {
    kind: 'counter',
    help: 'Messages from plain WebSocket clients, by dialect.',
    labels: ['dialect'],
  },
  tailwire_websocket_closes_total: {
    kind: 'counter',
    help: 'Ended plain WebSocket connections, by dialect and close code.',
    labels: ['dialect', 'code'],
  },
  tailwire_ssh_connections: { kind: 'gauge', help: 'Open SSH connections.', labels: [] },
  tailwire_ssh_channels: { kind: 'gauge', help: 'Open SSH channels.', labels: [] },
  tailwire_streams_owned: {
    kind: 'gauge',
    help: 'Log streams that this instance reads from their hosts.',
    labels: [],
  },
  tailwire_log_lines_total: { kind: 'counter', help: 'Journal lines read from hosts.', labels: [] },
  tailwire_logins_total: { kind: 'counter', help: 'SSH logins tried, by result code.', labels: ['result'] },
  tailwire_errors_total: {
    kind: 'counter',
    help: 'Errors sent to clients, by code of the error table.',
    labels: ['code'],
  },
} as const satisfies Record<string, MetricRow>;

type Rows = typeof METRICS;
type NamesOf<Kind extends MetricRow['kind']> = {
  [K in keyof Rows]: Rows[K]['kind'] extends Kind ? K : never;
}[keyof Rows];
type LabelsOf<K extends keyof Rows> = Record<Rows[K]['labels'][number], string>;

export type CounterName = NamesOf<'counter'>;
export type GaugeName = NamesOf<'gauge'>;
export type HistogramName = NamesOf<'histogram'>;

/** The metrics of one process, in a registry of its own so that several can live in one test. */
export interface Metrics {
  /** Adds to a counter; `by` is 1 unless given. */
  count<K extends CounterName>(name: K, labels: LabelsOf<K>, by?: number): void;
  set<K extends GaugeName>(name: K, labels: LabelsOf<K>, value: number): void;
  observe<K extends HistogramName>(name: K, labels: LabelsOf<K>, value: number): void;
  /** Has a gauge read at each scrape instead of being kept up to date. */
  readAtScrape<K extends GaugeName>(name: K, labels: LabelsOf<K>, read: () => number): void;
  /** The exposition text of Prometheus, and its content type. */
  scrape(): Promise<{ contentType: string; body: string }>;
}

export function createMetrics(): Metrics {
  const registry = new Registry();
  const counters = new Map<string, Counter>();
  const gauges = new Map<string, Gauge>();
  const histograms = new Map<string, Histogram>();
  const readers: (() => void)[] = [];
  collectDefaultMetrics({ register: registry });

  for (const [name, row] of Object.entries<MetricRow>(METRICS)) {
    const base = { name, help: row.help, labelNames: row.labels, registers: [registry] };
    if (row.kind === 'counter') counters.set(name, new Counter(base));
    else if (row.kind === 'gauge') gauges.set(name, new Gauge(base));
    else histograms.set(name, new Histogram({ ...base, buckets: [...(row.buckets ?? [])] }));
  }

  return {
    count: (name, labels, by = 1) => counters.get(name)?.inc(labels, by),
    set: (name, labels, value) => gauges.get(name)?.set(labels, value),
    observe: (name, labels, value) => histograms.get(name)?.observe(labels, value),
    readAtScrape: (name, labels, read) => {
      readers.push(() => gauges.get(name)?.set(labels, read()));
    },
    async scrape() {
      for (const read of readers) read();
      return { contentType: registry.contentType, body: await registry.metrics() };
    },
  };
}
