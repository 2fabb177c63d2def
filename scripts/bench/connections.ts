import { fileURLToPath } from 'node:url';
import { startRedis } from '../lab/redis.ts';
import { askChild } from './child.ts';
import type { Context, Section } from './context.ts';
import { startNodePeer } from './peers.ts';
import { number } from './report.ts';
import { HELLO, startRoomServer } from './room-candidates.ts';
import type { MemoryUse } from './server.ts';
import { type Sink, startSink } from './sink-process.ts';
import type { SinkOptions } from './sink-types.ts';

/** Connections that are there before the first measurement, so that what is loaded once counts for nobody. */
const BEFORE = 200;

interface Cost {
  heap: number;
  rss: number;
}

const between = (from: MemoryUse, to: MemoryUse, count: number): Cost => ({
  heap: (to.heapUsed + to.external - from.heapUsed - from.external) / count,
  rss: (to.rss - from.rss) / count,
});

/** What thousands of plain WebSockets cost where nothing happens, in bytes each, after garbage collection. */
export async function connections(context: Context): Promise<Section> {
  const { folder, short } = context;
  const count = short ? 100 : 5000;
  const ends: (() => Promise<unknown>)[] = [];

  async function connect(options: Omit<SinkOptions, 'sockets'>, sockets: number): Promise<Sink> {
    const sink = await startSink({ ...options, sockets });
    ends.push(sink.stop);
    return sink;
  }

  /** One server of its own for each, so that nobody inherits another's memory. */
  async function cost(sink: Omit<SinkOptions, 'sockets'>, memory: () => Promise<MemoryUse>): Promise<Cost> {
    await connect(sink, BEFORE);
    const before = await memory();
    await connect(sink, count);
    return between(before, await memory(), count);
  }

  async function finish(): Promise<void> {
    for (let end = ends.pop(); end; end = ends.pop()) await end();
  }

  async function bare(): Promise<Cost> {
    const probe = fileURLToPath(new URL('./memory-probe.mjs', import.meta.url));
    const peer = await startNodePeer('ws', { burst: 0, execArgv: ['--expose-gc', `--import=${probe}`] });
    ends.push(peer.stop);
    return await cost(peer.sink, () => askChild<MemoryUse>(peer.child, { do: 'memory' }, 'memory', 20_000));
  }

  async function ours(subscribed: boolean): Promise<Cost> {
    const redis = await startRedis();
    ends.push(redis.stop);
    const { server, path } = await startRoomServer(subscribed ? 'members' : 'connections', {
      redis,
      folder,
      profile: false,
    });
    ends.push(server.stop);
    const sink = { host: '127.0.0.1', port: server.port, path, protocol: 'plain' as const };
    return await cost(subscribed ? { ...sink, hello: HELLO } : sink, server.memory);
  }

  try {
    const bareCost = await bare();
    await finish();
    const openCost = await ours(false);
    await finish();
    const memberCost = await ours(true);
    await finish();
    const row = (name: string, one: Cost) => [
      name,
      number(one.heap / 1024, 1),
      number(one.rss / 1024, 1),
      number(one.heap / bareCost.heap, 2),
      number(one.rss / bareCost.rss, 2),
    ];
    const bound = (what: string, value: number) => ({
      what,
      value,
      relation: '<=' as const,
      bound: 1.2,
      unit: ' times',
    });
    return {
      name: 'connections',
      title: 'Idle connections',
      method:
        `What one of ${number(count)} idle plain WebSockets adds to the memory of its server, after garbage collection: JavaScript heap with ` +
        'external memory, and resident memory. Bare is a `ws` server that keeps its connections in a set. Each row has a server of its own.',
      head: ['Connection', 'heap KiB', 'resident KiB', 'heap, times bare', 'resident, times bare'],
      rows: [
        row('`ws`, bare', bareCost),
        row('Tailwire, Nexus', openCost),
        row('Tailwire, Nexus, in one room', memberCost),
      ],
      bounds: [
        bound('Heap of a connection', openCost.heap / bareCost.heap),
        bound('Resident memory of a connection', openCost.rss / bareCost.rss),
      ],
      notes: [],
    };
  } finally {
    await finish();
  }
}
