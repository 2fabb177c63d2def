import { waitFor } from '../lab/wait.ts';
import { median, percentile } from './clock.ts';
import type { Context, Section } from './context.ts';
import { gethLine } from './lines.ts';
import { number } from './report.ts';
import type { MemoryUse } from './server.ts';
import { startSink } from './sink-process.ts';

const UNIT = 'execution';
/** Long lines, so that soon more is due than the sockets of the kernel hold. */
const LINE_BYTES = 2000;
const RATE = 500;
const MIB = 1_048_576;

const inUse = (memory: MemoryUse) => memory.heapUsed + memory.external;

/** One viewer among many that does not read: what it costs the server, and what the others notice. */
export async function slow(context: Context): Promise<Section> {
  const { short } = context;
  const sockets = short ? 4 : 100;
  const count = short ? 200 : 7500;
  const ends: (() => Promise<unknown>)[] = [];
  try {
    const lab = await context.lab();
    const [host] = lab.hosts;
    if (!host) throw new Error('no host');
    const cluster = await context.clusters.take({ instances: 1, profile: false });
    ends.push(cluster.stop);
    const [server] = cluster.servers;
    if (!server) throw new Error('no server');
    const sink = await startSink({
      host: '127.0.0.1',
      port: server.port,
      path: '/socket.io/?EIO=4&transport=websocket',
      protocol: 'socketio',
      auth: { token: await cluster.login() },
      sockets,
      delays: true,
    });
    ends.push(sink.stop);
    await sink.subscribe({ service: UNIT, tail: 0, batch: true });

    /** One run of lines. @returns the others' delays and the server's memory at its end */
    async function round(stuck: boolean): Promise<{ p99: number; memory: number }> {
      await sink.stick(stuck);
      const { done } = await sink.expect(count, (count / RATE) * 1000 + 60_000);
      await host?.produce(UNIT, { rate: RATE, count, prefix: `${gethLine(0)} `, size: LINE_BYTES });
      await done;
      const { delays } = await sink.report();
      const memory = inUse(
        (await server?.memory()) ?? { kind: 'memory', rss: 0, heapUsed: 0, external: 0, arrayBuffers: 0 },
      );
      await sink.stick(false);
      await waitFor(
        'the slow viewer to have every line',
        async () => {
          const { counts } = await sink.report();
          if (counts.some((value) => value > count)) throw new Error('a line came twice');
          return counts.every((value) => value === count);
        },
        { timeoutMs: 60_000, everyMs: 200 },
      );
      return { p99: percentile(delays, 0.99), memory };
    }

    // Fills the tail that the server keeps anyway.
    await round(false);
    const rounds: { reading: Awaited<ReturnType<typeof round>>; stuck: Awaited<ReturnType<typeof round>> }[] =
      [];
    for (let n = 0; n < context.rounds; n++) {
      rounds.push({ reading: await round(false), stuck: await round(true) });
      const { reading, stuck } = rounds.at(-1) ?? {};
      context.log(
        `round ${n + 1}: p99 ${number(reading?.p99 ?? 0, 1)} / ${number(stuck?.p99 ?? 0, 1)} ms, ` +
          `memory ${number(((stuck?.memory ?? 0) - (reading?.memory ?? 0)) / MIB, 2)} MiB more`,
      );
    }
    const more = median(rounds.map(({ reading, stuck }) => (stuck.memory - reading.memory) / MIB));
    const change = median(rounds.map(({ reading, stuck }) => (stuck.p99 / reading.p99 - 1) * 100));
    return {
      name: 'slow',
      title: 'One viewer that does not read',
      method:
        `${sockets} viewers of one unit, ${RATE} lines/s of ${LINE_BYTES} bytes, ${number(count)} lines a round; in every second round one of them ` +
        'stops reading. Memory is heap and external memory after garbage collection, at the end of a round. Afterwards it reads again and gets ' +
        `every line, once. Medians of ${context.rounds} rounds.`,
      head: ['Round', "the others' p99 ms", 'memory MiB'],
      rows: [
        [
          'all read',
          number(median(rounds.map(({ reading }) => reading.p99)), 1),
          number(median(rounds.map(({ reading }) => reading.memory / MIB)), 1),
        ],
        [
          'one is stuck',
          number(median(rounds.map(({ stuck }) => stuck.p99)), 1),
          number(median(rounds.map(({ stuck }) => stuck.memory / MIB)), 1),
        ],
      ],
      bounds: [
        { what: 'Memory more', value: more, relation: '<=', bound: 4, unit: ' MiB' },
        { what: "Change of the others' p99", value: change, relation: '<=', bound: 10, unit: ' %' },
      ],
      notes: [],
    };
  } finally {
    for (let end = ends.pop(); end; end = ends.pop()) await end();
  }
}
