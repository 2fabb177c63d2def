import { askChild, endChild, startChild } from './child.ts';
import type { Context, Section } from './context.ts';
import { programPath } from './programs.ts';
import { number } from './report.ts';
import { METRICS_TOKEN } from './server.ts';
import type { StormAnswer, StormOptions } from './storm-clients.ts';

const UNIT = 'execution';
/** All have to be back in this time (fault R12), in s. */
const BACK_S = 20;
/** Bound of the server's event loop delay meanwhile, p99 in ms. */
const LOOP_MS = 200;
const WAIT_MS = 120_000;

/** Values of /metrics: sums over all rows of a name. */
async function scrape(port: number): Promise<(name: string) => number> {
  const response = await fetch(`http://127.0.0.1:${port}/metrics`, {
    headers: { authorization: `Bearer ${METRICS_TOKEN}` },
  });
  const rows = (await response.text()).split('\n');
  return (name) =>
    rows
      .filter((row) => row.startsWith(`${name} `) || row.startsWith(`${name}{`))
      .reduce((sum, row) => sum + Number(row.slice(row.lastIndexOf(' ') + 1)), 0);
}

/** Thousands of viewers of one session lose their instance and come back to the other one, all at the same moment. */
export async function storm(context: Context): Promise<Section> {
  const { short } = context;
  const sockets = short ? 20 : 5000;
  const ends: (() => Promise<unknown>)[] = [];
  type Answer<K extends StormAnswer['kind']> = Extract<StormAnswer, { kind: K }>;
  try {
    const lab = await context.lab();
    const [host] = lab.hosts;
    if (!host) throw new Error('no host');
    await host.log(UNIT, ['the line that everybody comes back with']);
    const cluster = await context.clusters.take({ instances: 2, profile: context.profile });
    ends.push(cluster.stop);
    const [first, second] = cluster.servers;
    if (!first || !second) throw new Error('no servers');
    const options: StormOptions = {
      ports: [first.port, second.port],
      sockets,
      token: await cluster.login(),
      unit: UNIT,
    };
    const child = startChild(process.execPath, [programPath('storm-clients'), JSON.stringify(options)], {
      stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
    });
    ends.push(() => endChild(child));
    await askChild<Answer<'subscribed'>>(child, null, 'subscribed', WAIT_MS);

    const commands = async () =>
      Number(/total_commands_processed:(\d+)/.exec(await cluster.redis.cli('info', 'stats'))?.[1] ?? 0);
    const before = { commands: await commands(), metrics: await scrape(second.port) };
    const returned = askChild<Answer<'back'>>(child, null, 'back', WAIT_MS);
    process.kill(first.pid, 'SIGKILL');
    const { times, retries, unrecovered } = await returned;
    const metrics = await scrape(second.port);
    const asked = (await commands()) - before.commands;
    const logins = metrics('tailwire_logins_total') - before.metrics('tailwire_logins_total');
    const loopMs = metrics('nodejs_eventloop_lag_p99_seconds') * 1000;
    times.sort((a, b) => a - b);
    const at = (share: number) => (times[Math.ceil(times.length * share) - 1] ?? 0) / 1000;
    return {
      name: 'storm',
      title: 'All viewers come back at once',
      method:
        `${number(sockets)} viewers of one session, each with a subscription, are connected to one of two instances, which is killed. ` +
        'They come back to the other at once, without any delay of their own, with the last id they have, until each has its ' +
        'stream again. Viewers, Redis, host and both instances are on one machine.',
      head: [
        'Viewers',
        'half back, s',
        'all back, s',
        'further attempts',
        'turned out',
        'new logins',
        'SSH connections',
        'Redis commands a viewer',
        'loop p99, ms',
      ],
      rows: [
        [
          number(sockets),
          number(at(0.5), 2),
          number(at(1), 2),
          number(retries),
          number(metrics('tailwire_turned_out_total')),
          number(logins),
          number(metrics('tailwire_ssh_connections')),
          number(asked / sockets, 1),
          number(loopMs),
        ],
      ],
      bounds: [
        { what: 'All are back', value: at(1), relation: '<=', bound: BACK_S, unit: ' s' },
        { what: 'Not recovered', value: unrecovered, relation: '<=', bound: 0, unit: '' },
        { what: 'Delay of the event loop, p99', value: loopMs, relation: '<=', bound: LOOP_MS, unit: ' ms' },
        // The streams are one here, and so is the host.
        { what: 'New logins over SSH', value: logins, relation: '<=', bound: 1, unit: '' },
      ],
      notes: [],
    };
  } finally {
    for (let end = ends.pop(); end; end = ends.pop()) await end();
  }
}
