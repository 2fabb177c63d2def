import { startRedis } from '../lab/redis.ts';
import type { Candidate } from './candidate.ts';
import { median, percentile } from './clock.ts';
import type { Bound, Context, Section } from './context.ts';
import { type Missing, startNchan } from './peers.ts';
import { number } from './report.ts';
import { startNexus, startWsLoop } from './room-candidates.ts';
import { type Sink, startSink } from './sink-process.ts';

const TIMEOUT_MS = 120_000;
/** Single messages a second: far enough apart that each meets a server at rest. */
const REST_RATE = 20;

interface Sample {
  delivered: number;
  ms: number;
  cpuMs: number;
  storeCpuMs: number;
  /** How old messages were when they came, in ms. */
  delays: readonly number[];
}

interface Entrant {
  candidate: Candidate;
  sink: Sink;
  bursts: Sample[];
  singles: Sample[];
}

const NAMES = { own: 'Tailwire, Nexus', ws: '`ws` send loop' };

async function measure(
  { candidate, sink }: Pick<Entrant, 'candidate' | 'sink'>,
  options: { from: number; count: number; rate: number | null; sockets: number },
): Promise<Sample> {
  const { from, count, rate, sockets } = options;
  const { done } = await sink.expect(count, TIMEOUT_MS);
  const cpuBefore = candidate.cpuMs();
  const storeBefore = candidate.storeCpuMs?.() ?? 0;
  const started = await candidate.publish(from, count, rate);
  const { at, most } = await done;
  if (most !== count) throw new Error(`${candidate.name} delivered a message more than once`);
  return {
    delivered: count * sockets,
    ms: at - started,
    cpuMs: candidate.cpuMs() - cpuBefore,
    storeCpuMs: (candidate.storeCpuMs?.() ?? 0) - storeBefore,
    delays: (await sink.report()).delays,
  };
}

const perSecond = ({ delivered, ms }: Sample) => delivered / (ms / 1000);
const perCpuSecond = ({ delivered, cpuMs }: Sample) => delivered / (cpuMs / 1000);
const p50 = ({ delays }: Sample) => percentile(delays, 0.5);
const p99 = ({ delays }: Sample) => percentile(delays, 0.99);

/** One room of 500 plain WebSocket members, over Nexus, beside a loop of sends and Nchan. */
export async function rooms(context: Context): Promise<Section> {
  const { folder, short } = context;
  const sockets = short ? 20 : 500;
  const burst = short ? 50 : 3000;
  const singles = short ? 10 : 200;
  const ends: (() => Promise<unknown>)[] = [];
  const entrants: Entrant[] = [];
  const missing: Missing[] = [];

  async function add(start: () => Promise<Candidate | Missing>): Promise<void> {
    const candidate = await start();
    if ('missing' in candidate) return void missing.push(candidate);
    ends.push(candidate.stop);
    const sink = await startSink({ ...candidate.sink, sockets });
    ends.push(sink.stop);
    const entrant: Entrant = { candidate, sink, bursts: [], singles: [] };
    await measure(entrant, { from: 0, count: candidate.burst, rate: null, sockets });
    entrants.push(entrant);
  }

  try {
    const redis = await startRedis();
    ends.push(redis.stop);
    await add(() => startNexus({ name: NAMES.own, redis, folder, profile: context.profile, burst }));
    await add(() => startWsLoop(NAMES.ws, burst));
    await add(() => startNchan(folder, burst));

    let from = 10_000;
    for (let round = 1; round <= context.rounds; round++) {
      for (const entrant of entrants) {
        entrant.bursts.push(await measure(entrant, { from, count: burst, rate: null, sockets }));
        from += burst;
      }
      for (const entrant of entrants) {
        entrant.singles.push(await measure(entrant, { from, count: singles, rate: REST_RATE, sockets }));
        from += singles;
      }
      const figures = entrants.map(
        ({ candidate, bursts, singles: rest }) =>
          `${candidate.name} ${number(perSecond(bursts.at(-1) as Sample))}/s, ${number(perCpuSecond(bursts.at(-1) as Sample))} per CPU s, ` +
          `p99 at rest ${number(p99(rest.at(-1) as Sample), 2)} ms`,
      );
      context.log(`round ${round}: ${figures.join('; ')}`);
    }
    return section({ entrants, missing, sockets, burst });
  } finally {
    for (let end = ends.pop(); end; end = ends.pop()) await end();
  }
}

function section(found: {
  entrants: readonly Entrant[];
  missing: readonly Missing[];
  sockets: number;
  burst: number;
}): Section {
  const { entrants, missing, sockets, burst } = found;
  const named = (name: string) => entrants.find(({ candidate }) => candidate.name === name);
  const own = named(NAMES.own);
  const loop = named(NAMES.ws);
  const nchan = named('nginx + Nchan');
  /** Median over rounds of what two had in the same round: a machine that drifts drifts for both. */
  const compare = (
    other: Entrant | undefined,
    of: (own: Entrant, other: Entrant, round: number) => number,
  ) => (own && other ? median(own.bursts.map((_, round) => of(own, other, round))) : null);
  const ratio = (other: Entrant | undefined, figure: (sample: Sample) => number) =>
    compare(
      other,
      (a, b, n) =>
        figure(a.bursts[n] ?? (a.bursts[0] as Sample)) / figure(b.bursts[n] ?? (b.bursts[0] as Sample)),
    );
  const bounds: Bound[] = [];
  const bound = (what: string, value: number | null, relation: '>=' | '<=', limit: number, unit: string) => {
    if (value !== null) bounds.push({ what, value, relation, bound: limit, unit });
  };
  bound('Bursts: deliveries per second against the loop', ratio(loop, perSecond), '>=', 2, ' times');
  bound('Bursts: deliveries per CPU second against the loop', ratio(loop, perCpuSecond), '>=', 2, ' times');
  bound('Bursts: deliveries per CPU second against Nchan', ratio(nchan, perCpuSecond), '>=', 1.5, ' times');
  bound(
    "Single messages at rest: p99 later than the loop's by",
    compare(loop, (a, b, n) => p99(a.singles[n] as Sample) - p99(b.singles[n] as Sample)),
    '<=',
    5,
    ' ms',
  );

  const rows = entrants.map(({ candidate, bursts, singles }) => {
    const of = (samples: readonly Sample[], figure: (sample: Sample) => number, digits = 0) =>
      number(median(samples.map(figure)), digits);
    return [
      candidate.name,
      of(bursts, perSecond),
      of(bursts, perCpuSecond),
      candidate.storeCpuMs ? of(bursts, (one) => (one.storeCpuMs * 1000) / one.delivered, 2) : '-',
      of(singles, perCpuSecond),
      of(singles, p50, 2),
      of(singles, p99, 2),
    ];
  });
  for (const { name, missing: why } of missing) rows.push([name, why, '-', '-', '-', '-', '-']);
  return {
    name: 'rooms',
    title: 'Rooms',
    method:
      `${sockets} members of one room over plain WebSocket, on one instance with Redis. Bursts of ${number(burst)} messages (a line of geth ` +
      'in JSON), 256 on their way at one time; and single messages, 20 a second. To Tailwire (Nexus) and the loop one more member publishes ' +
      'over its WebSocket, to Nchan messages are posted, 16 requests under way. The age of a single message is measured at every tenth ' +
      `member. Medians of ${own?.bursts.length ?? 0} alternating rounds; bounds compare within a round.`,
    head: [
      'Server',
      'Bursts: deliveries/s',
      'per CPU second',
      'Redis CPU µs a delivery',
      'Single: deliveries per CPU second',
      'p50 ms',
      'p99 ms',
    ],
    rows,
    bounds,
    notes: [],
  };
}
