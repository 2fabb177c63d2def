import { createInterface } from 'node:readline';
import { waitFor } from '../lab/wait.ts';
import { endChild } from './child.ts';
import { median, percentile } from './clock.ts';
import type { Context, Section } from './context.ts';
import { gethLine } from './lines.ts';
import { number } from './report.ts';
import type { ServerProcess } from './server.ts';
import { type Sink, startSink } from './sink-process.ts';
import { openSsh } from './ssh.ts';

const UNIT = 'execution';
const RATE = 100;

/** Age of each line when it came, from the time journald gave it: our viewers beside `ssh host journalctl -f`. */
export async function latency(context: Context): Promise<Section> {
  const { folder, short } = context;
  const sockets = short ? 3 : 50;
  const count = short ? 50 : 1500;
  const ends: (() => Promise<unknown>)[] = [];
  try {
    const lab = await context.lab();
    const [host] = lab.hosts;
    if (!host) throw new Error('no host');
    const cluster = await context.clusters.take({ instances: 2, profile: context.profile });
    ends.push(cluster.stop);
    const [owner, other] = cluster.servers;
    if (!owner || !other) throw new Error('no servers');
    const ssh = await openSsh(lab, host, folder);
    ends.push(ssh.stop);
    const token = await cluster.login();

    async function watch(server: ServerProcess, viewers: number): Promise<Sink> {
      const sink = await startSink({
        host: '127.0.0.1',
        port: server.port,
        path: '/socket.io/?EIO=4&transport=websocket',
        protocol: 'socketio',
        auth: { token },
        sockets: viewers,
        delays: true,
      });
      ends.push(sink.stop);
      await sink.subscribe({ service: UNIT, tail: 0, batch: true });
      return sink;
    }
    // Whoever watches first owns; the viewers that count are on the other instance.
    await watch(owner, 1);
    const reader = new RegExp(`journalctl.*--unit=${UNIT}[.].*--follow`);
    await waitFor('the owner to read the journal', () => host.countProcesses(reader) === 1);
    const viewers = await watch(other, sockets);

    let delays: number[] = [];
    const fields = ['journalctl', '-f', '-n', '0', '-o', 'json', '--output-fields=MESSAGE', '-u', UNIT];
    const follow = ssh.start(fields);
    ends.push(() => endChild(follow));
    if (!follow.stdout) throw new Error('no output');
    createInterface({ input: follow.stdout }).on('line', (line) => {
      const received = performance.timeOrigin + performance.now();
      const time = Number((JSON.parse(line) as Record<string, unknown>).__REALTIME_TIMESTAMP);
      delays.push(received - time / 1000);
    });
    await waitFor('ssh to follow', async () => {
      await host.log(UNIT, ['a line to see whether ssh follows']);
      return delays.length > 0;
    });

    const ours: number[][] = [];
    const theirs: number[][] = [];
    for (let round = 0; round < context.rounds; round++) {
      const { done } = await viewers.expect(count, (count / RATE) * 1000 + 60_000);
      delays = [];
      await host.produce(UNIT, { rate: RATE, count, prefix: `${gethLine(round)} ` });
      await done;
      await waitFor('ssh to have all lines', () => delays.length >= count);
      theirs.push(delays);
      ours.push((await viewers.report()).delays);
    }
    const p = (rounds: readonly number[][], share: number) =>
      median(rounds.map((values) => percentile(values, share)));
    const row = (name: string, rounds: readonly number[][]) => [
      name,
      ...[0.5, 0.99, 1].map((share) => number(p(rounds, share), 1)),
    ];
    return {
      name: 'latency',
      title: 'Latency',
      method:
        `${RATE} lines/s of one unit, ${sockets} viewers on another instance than the one that reads the journal: ms from the time ` +
        'journald gave a line to its arrival, over all viewers and lines, beside `ssh HOST journalctl -f` at the same time. ' +
        `Medians of ${context.rounds} rounds of ${count} lines.`,
      head: ['Reader', 'p50 ms', 'p99 ms', 'most ms'],
      rows: [row('Tailwire, other instance', ours), row('`ssh host journalctl -f`', theirs)],
      bounds: [
        {
          what: 'p99 above that of ssh',
          value: median(
            ours.map((values, n) => percentile(values, 0.99) - percentile(theirs[n] ?? [], 0.99)),
          ),
          relation: '<=',
          bound: 40,
          unit: ' ms',
        },
      ],
      notes: [],
    };
  } finally {
    for (let end = ends.pop(); end; end = ends.pop()) await end();
  }
}
