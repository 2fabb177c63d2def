import type { LabHost } from '../lab/host.ts';
import { waitFor } from '../lab/wait.ts';
import type { Candidate } from './candidate.ts';
import { cpuMs } from './child.ts';
import { now } from './clock.ts';
import { gethLine, gethLines } from './lines.ts';
import type { Cluster } from './server.ts';

export interface TailwireOptions {
  name: string;
  host: LabHost;
  cluster: Cluster;
  unit: string;
  batch: boolean;
  burst: number;
  token: string;
}

/** The newest message that journald has of a unit. */
async function newest(host: LabHost, unit: string): Promise<string> {
  return (await host.exec(['journalctl', '-o', 'cat', '-n', '1', '-u', unit])).stdout.trim();
}

/**
 * Our own server, end to end: lines that a unit prints go through journald, journalctl, sshd, SSH, the parser, Redis and
 * the fan-out. Before a burst journalctl is stopped (SIGSTOP) until the journal holds all of it, so that printing and
 * storing the lines is not what is measured.
 */
export function createTailwire(options: TailwireOptions): Candidate {
  const { host, cluster, unit, burst } = options;
  const [server] = cluster.servers;
  if (!server) throw new Error('no server');
  const readers = () => host.processes(new RegExp(`journalctl.*--unit=${unit}[.].*--follow`));
  return {
    name: options.name,
    burst,
    sink: {
      host: '127.0.0.1',
      port: server.port,
      path: '/socket.io/?EIO=4&transport=websocket',
      protocol: 'socketio',
      auth: { token: options.token },
    },
    subscription: { service: unit, tail: 0, ...(options.batch ? { batch: true } : {}) },
    cpuMs: () => cpuMs(server.pid),
    storeCpuMs: () => cpuMs(cluster.redis.pid),
    async publish(from, count, rate) {
      if (rate !== null) {
        const started = now();
        await host.produce(unit, {
          rate,
          count,
          prefix: gethLine(from).replace(/ triedirty=.*/, ' triedirty=512.00MiB '),
        });
        return started;
      }
      const [reader] = await waitFor('the journal reader', () => {
        const found = readers();
        return found.length === 1 && found;
      });
      if (!reader) throw new Error('no journal reader');
      process.kill(reader.pid, 'SIGSTOP');
      try {
        await host.log(unit, gethLines(from, count));
        await waitFor(
          'journald to store the lines',
          async () => (await newest(host, unit)) === gethLine(from + count - 1),
          {
            timeoutMs: 60_000,
            everyMs: 100,
          },
        );
      } finally {
        process.kill(reader.pid, 'SIGCONT');
      }
      return now();
    },
    async stop() {},
  };
}
