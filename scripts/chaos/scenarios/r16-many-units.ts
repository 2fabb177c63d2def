import { ALL_UNITS } from '../production.ts';
import { anyMoment, calm, RECOVERY_MS, type Scenario } from '../scenario.ts';

/** More units than one SSH connection has sessions (MaxSessions 10). */
export const r16ManyUnits: Scenario = {
  name: 'r16',
  rule: 'R16',
  promises: ['LOG-1', 'LOG-2'],
  title: `${ALL_UNITS.length} units of one host are watched at once, and one of their owners is killed`,
  units: ALL_UNITS,
  full: { repeats: 10, rate: 480, viewers: 108 },
  short: { repeats: 1, rate: 120, viewers: 36 },
  limits: { p50: 2500, p99: 4000 },
  async fault(stage) {
    const { audience, random, rig } = stage;
    const [host] = rig.hosts;
    await anyMoment(stage);
    const readers = host?.countProcesses(/^journalctl.*--follow/);
    if (readers !== ALL_UNITS.length) stage.violation(`${readers} readers for ${ALL_UNITS.length} units`);
    const victim = random.pick(await rig.owners());
    const index = rig.instances.indexOf(victim);
    const witnesses = audience.viewers.filter((viewer) => viewer.at !== index);
    const mark = audience.mark();
    const killed = victim.kill();
    // Most of these viewers' streams had other owners: theirs shows as no delay at all.
    stage.tookOver(await mark.passed({ timeoutMs: RECOVERY_MS, only: witnesses }));
    await killed;
    await calm(stage);
    const connections = await Promise.all(rig.instances.map((one) => one.metric('tailwire_ssh_connections')));
    stage.note(`SSH connections ${connections.map((count) => count ?? 0).join(' ')}`);
    await victim.start();
    await audience.goHome();
    await calm(stage);
  },
};
