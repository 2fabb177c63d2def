import { PLAIN } from '../rig.ts';
import type { Scenario } from '../scenario.ts';
import { ownerLeft } from './owner-left.ts';
import { r1Kill } from './r1-kill.ts';
import { r2Freeze } from './r2-freeze.ts';
import { r3Rolling } from './r3-rolling.ts';
import { r4RedisCut } from './r4-redis-cut.ts';
import { r5HostCut } from './r5-host-cut.ts';
import { r6Sshd } from './r6-sshd.ts';
import { r7RedisRestart } from './r7-redis-restart.ts';
import { r8Sentinel } from './r8-sentinel.ts';
import { r9ClientKill } from './r9-client-kill.ts';
import { r11ClientDrop } from './r11-client-drop.ts';
import { r13BadNetwork } from './r13-bad-network.ts';
import { r14Clocks } from './r14-clocks.ts';
import { r15Away } from './r15-away.ts';
import { r15Vacuum } from './r15-vacuum.ts';
import { r16ManyUnits } from './r16-many-units.ts';
import { r17Churn } from './r17-churn.ts';
import { r18SlowReaders } from './r18-slow-readers.ts';
import { soak } from './soak.ts';

/** All scenarios, in the order of the fault catalogue. */
export const SCENARIOS: readonly Scenario[] = [
  r1Kill,
  r2Freeze,
  r3Rolling,
  r4RedisCut,
  r5HostCut,
  r6Sshd,
  r7RedisRestart,
  r8Sentinel,
  r9ClientKill,
  r11ClientDrop,
  r13BadNetwork,
  r14Clocks,
  r15Vacuum,
  r15Away,
  r16ManyUnits,
  r17Churn,
  r18SlowReaders,
  ownerLeft,
  soak,
];

/** Scenarios so that those which can share a rig follow each other. */
export function inRigOrder(scenarios: readonly Scenario[]): Scenario[] {
  const kindOf = ({ rig = PLAIN }: Scenario) => rig;
  const kinds = [...new Set(scenarios.map(kindOf))];
  return kinds.flatMap((kind) => scenarios.filter((scenario) => kindOf(scenario) === kind));
}
