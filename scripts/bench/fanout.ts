import { startRedis } from '../lab/redis.ts';
import type { Candidate } from './candidate.ts';
import { median } from './clock.ts';
import type { Bound, Context, Section } from './context.ts';
import { type Missing, startNats, startNchan, startNodePeer } from './peers.ts';
import { number } from './report.ts';
import { type Sink, startSink } from './sink-process.ts';
import { createTailwire } from './tailwire.ts';

interface Sample {
  /** Lines delivered, to all viewers together. */
  delivered: number;
  ms: number;
  cpuMs: number;
  storeCpuMs: number;
  bytes: number;
}

interface Entrant {
  candidate: Candidate;
  sink: Sink;
  /** Marker bytes that one line makes on the wire. */
  marks: number;
  bursts: Sample[];
  paced: Sample[];
}

const BURST_TIMEOUT_MS = 120_000;

async function measure(
  { candidate, sink, marks }: Entrant,
  options: { from: number; count: number; rate: number | null; sockets: number },
): Promise<Sample> {
  const { from, count, rate, sockets } = options;
  const { done } = await sink.expect(count * marks, BURST_TIMEOUT_MS);
  const cpuBefore = candidate.cpuMs();
  const storeBefore = candidate.storeCpuMs?.() ?? 0;
  const started = await candidate.publish(from, count, rate);
  const answer = await done;
  if (answer.most !== count * marks) throw new Error(`${candidate.name} delivered a line more than once`);
  return {
    delivered: count * sockets,
    ms: answer.at - started,
    cpuMs: candidate.cpuMs() - cpuBefore,
    storeCpuMs: (candidate.storeCpuMs?.() ?? 0) - storeBefore,
    bytes: answer.bytes,
  };
}

/** Connects the viewers, lets the candidate warm up, and finds out how often a line's marker stands on the wire. */
async function enter(candidate: Candidate, sockets: number, warmUp: number): Promise<Entrant> {
  const sink = await startSink({ ...candidate.sink, sockets });
  if (candidate.subscription) await sink.subscribe(candidate.subscription);
  const first = await sink.expect(1, BURST_TIMEOUT_MS);
  await candidate.publish(0, 1, null);
  await first.done;
  await new Promise((resolve) => setTimeout(resolve, 300));
  const { counts } = await sink.report();
  const [marks = 1] = counts;
  const entrant: Entrant = { candidate, sink, marks, bursts: [], paced: [] };
  await measure(entrant, { from: 1, count: warmUp, rate: null, sockets });
  return entrant;
}

const perCpuSecond = ({ delivered, cpuMs }: Sample) => delivered / (cpuMs / 1000);
const perSecond = ({ delivered, ms }: Sample) => delivered / (ms / 1000);
const middle = (samples: readonly Sample[], figure: (sample: Sample) => number) =>
  median(samples.map(figure));

/** 200 viewers of one unit: what a line costs from the host's journal to all of them, beside what else could carry it. */
export async function fanout(context: Context): Promise<Section> {
  const { folder, short, only } = context;
  const sockets = short ? 5 : 200;
  const size = (lines: number) => (short ? 50 : lines);
  const pacedRate = short ? 50 : 500;
  const pacedCount = short ? 25 : 4000;
  const ends: (() => Promise<unknown>)[] = [];
  const entrants: Entrant[] = [];
  const missing: Missing[] = [];

  async function add(name: string, start: () => Promise<Candidate | Missing>): Promise<void> {
    if (only.length > 0 && !only.some((part) => name.toLowerCase().startsWith(part))) return;
    const candidate = await start();
    if ('missing' in candidate) return void missing.push(candidate);
    ends.push(candidate.stop);
    const entrant = await enter(candidate, sockets, size(2000));
    ends.push(entrant.sink.stop);
    entrants.push(entrant);
    context.log(`${name} is ready, ${entrant.marks} mark(s) a line`);
  }

  try {
    const lab = await context.lab();
    const [host] = lab.hosts;
    if (!host) throw new Error('no host');
    const cluster = await context.clusters.take({ instances: 1, profile: context.profile });
    ends.push(cluster.stop);
    const token = await cluster.login();
    const redis = await startRedis();
    ends.push(redis.stop);
    const own = { host, cluster, token };
    const names = { batch: 'Tailwire, batches', lines: 'Tailwire, line by line' };
    await add(names.batch, async () =>
      createTailwire({ ...own, name: names.batch, unit: 'execution', batch: true, burst: size(20_000) }),
    );
    await add(names.lines, async () =>
      createTailwire({ ...own, name: names.lines, unit: 'consensus', batch: false, burst: size(5000) }),
    );
    await add('Socket.IO + redis-adapter', () =>
      startNodePeer('socket.io+redis', { redis, burst: size(3000) }),
    );
    await add('Socket.IO', () => startNodePeer('socket.io', { burst: size(3000) }));
    await add('`ws` send loop', () => startNodePeer('ws', { burst: size(3000) }));
    await add('nginx + Nchan', () => startNchan(folder, size(10_000)));
    await add('NATS over WebSocket', () => startNats(folder, size(10_000)));

    let from = 10_000;
    for (let round = 1; round <= context.rounds; round++) {
      for (const entrant of entrants) {
        const { burst } = entrant.candidate;
        entrant.bursts.push(await measure(entrant, { from, count: burst, rate: null, sockets }));
        from += burst;
      }
      context.log(`burst round ${round} of ${context.rounds} done`);
    }
    for (const entrant of entrants) {
      entrant.paced.push(await measure(entrant, { from, count: pacedCount, rate: pacedRate, sockets }));
      from += pacedCount;
    }
    return section({ entrants, missing, sockets, pacedRate });
  } finally {
    for (let end = ends.pop(); end; end = ends.pop()) await end();
  }
}

function section(found: {
  entrants: readonly Entrant[];
  missing: readonly Missing[];
  sockets: number;
  pacedRate: number;
}): Section {
  const { entrants, missing, sockets, pacedRate } = found;
  const named = (name: string) => entrants.find(({ candidate }) => candidate.name === name);
  const own = named('Tailwire, batches');
  const ownLines = named('Tailwire, line by line');
  const adapter = named('Socket.IO + redis-adapter');
  const plain = named('Socket.IO');
  const nats = named('NATS over WebSocket');

  const rows = entrants.map(({ candidate, bursts, paced }) => [
    candidate.name,
    number(middle(bursts, perSecond)),
    number(middle(bursts, perCpuSecond)),
    number(
      middle(bursts, (one) => (one.cpuMs * 1000) / one.delivered),
      2,
    ),
    number(middle(bursts, (one) => one.bytes / one.delivered)),
    candidate.storeCpuMs
      ? number(
          middle(bursts, (one) => (one.storeCpuMs * 1000) / one.delivered),
          2,
        )
      : '-',
    number(middle(paced, perCpuSecond)),
    own && own.candidate !== candidate
      ? number(middle(own.bursts, perCpuSecond) / middle(bursts, perCpuSecond), 2)
      : '1',
  ]);
  for (const { name, missing: why } of missing) rows.push([name, why, '-', '-', '-', '-', '-', '-']);

  const bounds: Bound[] = [];
  /** Median over rounds of the ratio within a round: a machine that drifts drifts for both. */
  const ratio = (a: Entrant | undefined, b: Entrant | undefined, figure: (sample: Sample) => number) =>
    a && b ? median(a.bursts.map((sample, n) => figure(sample) / figure(b.bursts[n] ?? sample))) : null;
  const add = (what: string, value: number | null, bound: number) => {
    if (value !== null) bounds.push({ what, value, relation: '>=', bound, unit: ' times' });
  };
  add(
    'Lines per CPU second against Socket.IO + redis-adapter (aim: 20)',
    ratio(own, adapter, perCpuSecond),
    12,
  );
  add('Lines per CPU second against NATS over WebSocket (aim: 2)', ratio(own, nats, perCpuSecond), 1.3);
  add("Lines per second against Socket.IO's", ratio(own, plain, perSecond), 6);
  add('Line by line: lines per second against plain Socket.IO', ratio(ownLines, plain, perSecond), 1);
  add('Line by line: lines per CPU second against plain Socket.IO', ratio(ownLines, plain, perCpuSecond), 1);

  return {
    name: 'fanout',
    title: 'Fan-out',
    method:
      `${sockets} viewers of one unit on one instance. Tailwire is measured end to end: journalctl on a real host, SSH, parsing, Redis, ` +
      'fan-out; CPU is that of the whole server process. The others are handed the same lines (240 bytes, a line of geth) ready made. ' +
      'The receiving side is a process of raw sockets that counts marker bytes. A burst stands in the journal before the clock starts. ' +
      `Medians of ${entrants[0]?.bursts.length ?? 0} alternating rounds.`,
    head: [
      'Server',
      'Lines delivered/s',
      'per CPU second',
      'CPU µs a delivery',
      'bytes a delivery',
      'Redis CPU µs a delivery',
      `per CPU second at ${pacedRate} lines/s`,
      'Tailwire is better by',
    ],
    rows,
    bounds,
    notes: [],
  };
}
