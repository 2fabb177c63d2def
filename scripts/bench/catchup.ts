import { io } from 'socket.io-client';
import { RECORD_FIELDS } from '../../server/logs/journal/record.ts';
import type { ClientToServerEvents, ServerToClientEvents } from '../../shared/events.ts';
import type { LabHost } from '../lab/host.ts';
import { waitFor } from '../lab/wait.ts';
import { cpuMs } from './child.ts';
import { median, now } from './clock.ts';
import type { Context, Section } from './context.ts';
import { gethLine, gethLines } from './lines.ts';
import { number } from './report.ts';
import { startSink } from './sink-process.ts';
import { openSsh } from './ssh.ts';

const UNIT = 'execution';
/** Lines given to the unit at once. */
const PART = 20_000;
const CATCH_UP_TIMEOUT_MS = 120_000;

/** The position of the unit's newest line, as a viewer that leaves remembers it. */
async function lastPosition(port: number, token: string): Promise<string> {
  const socket = io(`http://127.0.0.1:${port}`, { transports: ['websocket'], auth: { token } }) as ReturnType<
    typeof io
  > & { on<E extends keyof ServerToClientEvents>(event: E, listener: ServerToClientEvents[E]): unknown };
  try {
    const position = new Promise<string>((resolve) => {
      socket.on('log_batch', (batch: Parameters<ServerToClientEvents['log_batch']>[0]) => {
        resolve(batch.entries.at(-1)?.id ?? '');
      });
    });
    const request: Parameters<ClientToServerEvents['subscribe_logs']>[0] = {
      service: UNIT,
      tail: 1,
      batch: true,
    };
    await socket.timeout(20_000).emitWithAck('subscribe_logs', request);
    return await position;
  } finally {
    socket.disconnect();
  }
}

/** Prints lines through the unit and waits until the journal has them all. */
async function fill(host: LabHost, count: number): Promise<void> {
  for (let from = 0; from < count; from += PART) {
    const part = Math.min(PART, count - from);
    await host.log(UNIT, gethLines(from, part));
    await waitFor(
      'journald to store the lines',
      async () => {
        const { stdout } = await host.exec(['journalctl', '-o', 'cat', '-n', '1', '-u', UNIT]);
        return stdout.trim() === gethLine(from + part - 1);
      },
      { timeoutMs: 60_000, everyMs: 100 },
    );
  }
}

/** One viewer that comes back after many lines, beside the ssh program that reads the same span. */
export async function catchup(context: Context): Promise<Section> {
  const { folder, short } = context;
  const count = short ? 2000 : 200_000;
  const ends: (() => Promise<unknown>)[] = [];
  try {
    const lab = await context.lab();
    const [host] = lab.hosts;
    if (!host) throw new Error('no host');
    const cluster = await context.clusters.take({ instances: 1, profile: context.profile });
    ends.push(cluster.stop);
    const [server] = cluster.servers;
    if (!server) throw new Error('no server');
    const ssh = await openSsh(lab, host, folder);
    ends.push(ssh.stop);
    const token = await cluster.login();
    await host.log(UNIT, ['the last line that was seen']);
    const after = await lastPosition(server.port, token);
    const { stdout } = await host.exec(['journalctl', '-o', 'json', '-n', '1', '-u', UNIT]);
    const cursor = String((JSON.parse(stdout) as Record<string, unknown>).__CURSOR);
    await fill(host, count);
    context.log(`${count} lines stand in the journal`);
    // A line for each entry, as one would read them by hand; Tailwire asks for another format.
    const command = [
      ...['journalctl', '--no-pager', '--output=json', '--all'],
      ...[`--output-fields=${RECORD_FIELDS.join(',')}`, `--unit=${UNIT}`, `--cursor=${cursor}`],
    ];

    const ours: { perSecond: number; cpuUs: number }[] = [];
    const theirs: number[] = [];
    for (let round = 0; round < context.rounds; round++) {
      const read = await ssh.count(command);
      theirs.push(read.lines / (read.ms / 1000));

      const sink = await startSink({
        host: '127.0.0.1',
        port: server.port,
        path: '/socket.io/?EIO=4&transport=websocket',
        protocol: 'socketio',
        auth: { token },
        sockets: 1,
      });
      try {
        const { done } = await sink.expect(count, CATCH_UP_TIMEOUT_MS);
        const cpuBefore = cpuMs(server.pid);
        const started = now();
        await sink.subscribe({ service: UNIT, after, batch: true });
        const { at, most } = await done;
        if (most !== count) throw new Error(`${most} lines came instead of ${count}`);
        const cpuUs = ((cpuMs(server.pid) - cpuBefore) * 1000) / count;
        ours.push({ perSecond: count / ((at - started) / 1000), cpuUs });
      } finally {
        await sink.stop();
      }
      context.log(
        `round ${round + 1}: ssh ${number(theirs.at(-1) ?? 0)} lines/s, Tailwire ${number(ours.at(-1)?.perSecond ?? 0)} lines/s at ${number(ours.at(-1)?.cpuUs ?? 0, 1)} µs CPU a line`,
      );
    }
    const perSecond = ours.map((one) => one.perSecond);
    return {
      name: 'catchup',
      title: 'Catching up',
      method:
        `A viewer resumes over ${number(count)} lines, from the moment it asks until it has the last one, beside ` +
        '`ssh HOST journalctl -o json --all --output-fields=... --cursor=... | wc -l` over the same span, its connection ' +
        `open already. Medians of ${context.rounds} alternating rounds; the ratio is the median of the rounds' ratios.`,
      head: ['Reader', 'Lines/s', 'CPU µs a line'],
      rows: [
        [
          'Tailwire, resumed viewer',
          number(median(perSecond)),
          number(median(ours.map(({ cpuUs }) => cpuUs)), 1),
        ],
        ['`ssh host journalctl` into `wc -l`', number(median(theirs)), '-'],
      ],
      bounds: [
        {
          what: 'Lines per second against ssh',
          value: median(perSecond.map((value, n) => value / (theirs[n] ?? value))),
          relation: '>=',
          bound: 0.95,
          unit: '',
        },
      ],
      notes: [],
    };
  } finally {
    for (let end = ends.pop(); end; end = ends.pop()) await end();
  }
}
