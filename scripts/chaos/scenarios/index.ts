import type { Scenario } from '../scenario.ts';
import { r1Kill } from './r1-kill.ts';
import { r3Rolling } from './r3-rolling.ts';
import { r7RedisRestart } from './r7-redis-restart.ts';

export const SCENARIOS: readonly Scenario[] = [r1Kill, r3Rolling, r7RedisRestart];
