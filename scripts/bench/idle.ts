import { fileURLToPath } from 'node:url';
import { askChild } from './child.ts';
import type { Context, Section } from './context.ts';
import { startNodePeer } from './peers.ts';
import { number } from './report.ts';
import type { MemoryUse } from './server.ts';
import { type Sink, startSink } from './sink-process.ts';
import type { SinkOptions } from './sink-types.ts';

/** Connections that are there before the first measurement, so that what is loaded once counts for nobody. */
const BEFORE = 100;
/** Written to by nobody while this runs. */
const UNIT = 'validator';

interface Cost {
  heap: number;
  rss: number;
}

const between = (from: MemoryUse, to: MemoryUse, count: number): Cost => ({
  heap: (to.heapUsed + to.external - from.heapUsed - from.external) / count,
  rss: (to.rss - from.rss) / count,
});

/** Memory that a connection costs where nothing happens, after garbage collection. */
export async function idle(context: Context): Promise<Section> {
  const { short } = context;
  const count = short ? 20 : 2000;
  const ends: (() => Promise<unknown>)[] = [];

  async function connect(options: Omit<SinkOptions, 'sockets'>, sockets: number): Promise<Sink> {
    const sink = await startSink({ ...options, sockets });
    ends.push(sink.stop);
    return sink;
  }

  try {
    const probe = fileURLToPath(new URL('./memory-probe.mjs', import.meta.url));
    const bare = await startNodePeer('socket.io', {
      burst: 0,
      execArgv: ['--expose-gc', `--import=${probe}`],
    });
    ends.push(bare.stop);
    const bareMemory = () => askChild<MemoryUse>(bare.child, { do: 'memory' }, 'memory', 20_000);
    await connect(bare.sink, BEFORE);
    const bareBefore = await bareMemory();
    await connect(bare.sink, count);
    const bareCost = between(bareBefore, await bareMemory(), count);

    const lab = await context.lab();
    const [host] = lab.hosts;
    if (!host) throw new Error('no host');
    const cluster = await context.clusters.take({ instances: 1, profile: false });
    ends.push(cluster.stop);
    const [server] = cluster.servers;
    if (!server) throw new Error('no server');
    const options: Omit<SinkOptions, 'sockets'> = {
      host: '127.0.0.1',
      port: server.port,
      path: '/socket.io/?EIO=4&transport=websocket',
      protocol: 'socketio',
      auth: { token: await cluster.login() },
    };
    const request = { service: UNIT, tail: 0, batch: true };
    const first = await connect(options, BEFORE);
    await first.subscribe(request);
    const before = await server.memory();
    const viewers = await connect(options, count);
    const connected = await server.memory();
    await viewers.subscribe(request);
    const watching = await server.memory();
    const idleCost = between(before, connected, count);
    const watchingCost = between(before, watching, count);

    const row = (name: string, cost: Cost) => [
      name,
      number(cost.heap / 1024, 1),
      number(cost.rss / 1024, 1),
      number(cost.heap / bareCost.heap, 2),
      number(cost.rss / bareCost.rss, 2),
    ];
    return {
      name: 'idle',
      title: 'Idle viewers',
      method:
        `What one of ${number(count)} WebSocket connections adds to the memory of its server, after garbage collection: JavaScript heap ` +
        'with external memory, and resident memory. Bare is a Socket.IO server that puts each connection into a room and does nothing else.',
      head: ['Connection', 'heap KiB', 'resident KiB', 'heap, times bare', 'resident, times bare'],
      rows: [
        row('Socket.IO, bare', bareCost),
        row('Tailwire, authenticated', idleCost),
        row('Tailwire, authenticated and watching a quiet unit', watchingCost),
      ],
      bounds: [
        {
          what: 'Heap of an authenticated viewer',
          value: idleCost.heap / bareCost.heap,
          relation: '<=',
          bound: 1.3,
          unit: ' times',
        },
        {
          what: 'Resident memory of an authenticated viewer',
          value: idleCost.rss / bareCost.rss,
          relation: '<=',
          bound: 1.3,
          unit: ' times',
        },
        {
          what: 'Resident memory of one that watches',
          value: watchingCost.rss / bareCost.rss,
          relation: '<=',
          bound: 1.3,
          unit: ' times',
        },
      ],
      notes: [],
    };
  } finally {
    for (let end = ends.pop(); end; end = ends.pop()) await end();
  }
}
