import { readFileSync } from 'node:fs';
import { io, type Socket } from 'socket.io-client';
import type { ClientToServerEvents, ServerToClientEvents } from '../../../shared/events.ts';
import { waitFor } from '../../lab/wait.ts';
import type { Instance } from '../instance.ts';
import { anyMoment, calm, RECOVERY_MS, type Scenario, type Stage, wait } from '../scenario.ts';

const HOUR_S = 3600;
type Whose = 'instance' | 'redis' | 'host';
/** Whose clock is set in the turns, and by how many hours; in each turn it is set right again afterwards. */
const TURNS: readonly Partial<Record<Whose, number>>[] = [
  { instance: -1, redis: 1, host: -1 },
  { instance: -1 },
  { redis: 1 },
  { host: -1 },
  { instance: 1 },
  { redis: -1 },
  { host: 1 },
];

/** Status is asked for so often, in ms; it has to come that often whatever the clocks say. */
const STATUS_MS = 1000;
const STATUS_PATIENCE_MS = 5000;
/** A clock that differs by less from what it was set to has been set, in s. */
const SEEN_S = 5;
/** An instance that has nothing new to do takes at most so many times the CPU time it took before, and so much more, in s/s. */
const BUSY_TIMES = 2;
const BUSY_MORE = 0.25;
const BUSY_OVER_MS = 1500;

/** CPU time that an instance has used, in s; proc_pid_stat(5) counts in hundredths. */
function cpuSeconds({ pid }: Instance): number {
  const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1]?.split(' ') ?? [];
  return (Number(fields[11]) + Number(fields[12])) / 100;
}

/** The share of a core that each instance takes now. */
async function busy({ rig }: Stage): Promise<number[]> {
  const before = rig.instances.map(cpuSeconds);
  const started = performance.now();
  await wait(BUSY_OVER_MS);
  const seconds = (performance.now() - started) / 1000;
  return rig.instances.map((instance, n) => (cpuSeconds(instance) - (before[n] ?? 0)) / seconds);
}

/** What a clock says now, in s before or behind the machine's. */
async function ahead(stage: Stage, whose: Whose, instance: Instance): Promise<number> {
  const { rig } = stage;
  let ms: number;
  if (whose === 'redis') ms = Number((await rig.redis.cli('time')).split('\n')[0]) * 1000;
  else if (whose === 'instance') {
    const { headers } = await fetch(`${instance.url}/healthz`);
    ms = Date.parse(headers.get('date') ?? '');
  } else {
    const [newest] = (await rig.hosts[0]?.journal('execution', ['--lines=1'])) ?? [];
    ms = Number(newest?.__REALTIME_TIMESTAMP) / 1000;
  }
  return Math.round((ms - Date.now()) / 1000);
}

/** A client of each instance that watches the status, and what it got. */
interface StatusWatch {
  updates: number;
  errors: string[];
  socket: Socket<ServerToClientEvents, ClientToServerEvents>;
}
const watches = new WeakMap<Stage, { token: string; all: StatusWatch[]; usual: number[] }>();

function watchStatus({ rig }: Stage, token: string): StatusWatch[] {
  return rig.instances.map(({ url }) => {
    const socket: StatusWatch['socket'] = io(url ?? '', { transports: ['websocket'], auth: { token } });
    const watch: StatusWatch = { updates: 0, errors: [], socket };
    socket.on('status_update', () => watch.updates++);
    socket.on('session_ended', ({ reason }) => watch.errors.push(`session ended: ${reason}`));
    socket.on('error', ({ code }) => watch.errors.push(code ?? 'error'));
    socket.on('connect', () => socket.emit('subscribe_status', { interval: STATUS_MS }));
    return watch;
  });
}

/** Everything that waits, ends or is allowed by time has to go on as before. */
async function goesOn(stage: Stage, what: string): Promise<void> {
  const { rig } = stage;
  const held = watches.get(stage);
  if (!held) return;
  const counts = held.all.map(({ updates }) => updates);
  const mark = stage.audience.mark();
  const shares = busy(stage);
  const waiting = () => held.all.filter(({ updates }, n) => updates < (counts[n] ?? 0) + 2);
  const patience = { timeoutMs: STATUS_PATIENCE_MS };
  const told = waitFor('status updates', () => waiting().length === 0, patience).catch(() =>
    stage.violation(`${what}: ${waiting().length} of ${held.all.length} instances tell no status any more`),
  );
  stage.tookOver(await mark.passed({ timeoutMs: RECOVERY_MS }));
  (await shares).forEach((share, n) => {
    const usual = held.usual[n] ?? 0;
    if (share > usual * BUSY_TIMES + BUSY_MORE)
      stage.violation(
        `${what}: instance ${n + 1} takes ${share.toFixed(2)} of a core, ${usual.toFixed(2)} before`,
      );
  });
  for (const instance of rig.instances) {
    const headers = { authorization: `Bearer ${held.token}` };
    const { status } = await fetch(`${instance.url}/api/session`, { headers });
    if (status !== 200) stage.violation(`${what}: ${instance.name} answers ${status} for the session`);
    await rig.login(undefined, instance).catch((error: Error) => {
      stage.violation(`${what}: no new login at ${instance.name}: ${error.message}`);
    });
  }
  await told;
  for (const watch of held.all)
    for (const error of watch.errors.splice(0)) stage.violation(`${what}: ${error}`);
}

/** A clock is set while everything runs: nothing may be lost, end, stand still or go in circles. */
export const r14Clocks: Scenario = {
  name: 'r14',
  rule: 'R14',
  promises: ['LOG-2', 'LOG-3', 'SIO-6', 'SIO-8'],
  title: 'the clocks of the owner, of Redis and of the host are set an hour back or ahead, and right again',
  rig: { clocks: true },
  full: { repeats: 21, rate: 500, viewers: 100 },
  short: { repeats: 1, rate: 200, viewers: 12 },
  limits: { p99: 4000 },
  async fault(stage, turn) {
    const { audience, rig } = stage;
    const { clocks } = rig;
    if (!clocks) throw new Error('This needs clocks');
    if (!watches.has(stage)) {
      const token = await rig.login();
      const all = watchStatus(stage, token);
      watches.set(stage, { token, all, usual: await busy(stage) });
    }
    await anyMoment(stage);
    const hours = TURNS[turn % TURNS.length] ?? {};
    const victim = await rig.owner();
    let owner = victim;
    const clockOf = {
      instance: clocks.instances[rig.instances.indexOf(victim)],
      redis: clocks.redis,
      host: clocks.host,
    };
    const moves = Object.entries(hours) as [Whose, number][];
    const name = moves.map(([whose, by]) => `${whose} ${by > 0 ? '+' : ''}${by} h`).join(', ');
    stage.did(name);
    for (const isRight of [false, true]) {
      const what = isRight ? `${name}, right again` : name;
      for (const [whose, by] of moves) {
        const seconds = isRight ? 0 : by * HOUR_S;
        await clockOf[whose]?.set(seconds);
        if (whose === 'host') audience.hostIsAhead(seconds);
      }
      for (const [whose, by] of moves) {
        const seconds = isRight ? 0 : by * HOUR_S;
        const isSet = async () => Math.abs((await ahead(stage, whose, victim)) - seconds) < SEEN_S;
        await waitFor(`the clock: ${what}`, isSet, { everyMs: 100 });
      }
      await goesOn(stage, what);
      // What Redis keeps for a time is over when its clock goes ahead: then another may be the owner.
      const mayChange = isRight ? (hours.redis ?? 0) < 0 : (hours.redis ?? 0) > 0;
      const next = await rig.owner();
      if (!mayChange && next !== owner) stage.violation(`${what}: the owner changed without need`);
      owner = next;
    }
    await calm(stage);
    if (turn + 1 < stage.size.repeats) return;
    for (const { socket } of watches.get(stage)?.all ?? []) socket.disconnect();
  },
};
