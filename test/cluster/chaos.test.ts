import assert from 'node:assert/strict';
import { buildServer } from '../../scripts/built-server.ts';
import { createRandom } from '../../scripts/chaos/random.ts';
import type { Hosts } from '../../scripts/chaos/rig.ts';
import { createRigs, type Rigs } from '../../scripts/chaos/rigs.ts';
import { type Outcome, runScenario } from '../../scripts/chaos/run.ts';
import { inRigOrder, SCENARIOS } from '../../scripts/chaos/scenarios/index.ts';
import { LAB_TIMEOUT_MS, type TestLab, useLab } from '../support/lab.ts';
import { requirePart } from '../support/parts.ts';

/** A scenario takes 5 to 60 s, on a busy machine twice that. */
const SCENARIO_TIMEOUT_MS = 180_000;
const SEED = 20_240;

/** Short forms of `npm run chaos`: real servers, Redis and host, some viewers, one to three faults each. */
describe('chaos, in short', () => {
  let lab: TestLab;
  let hosts: Hosts;
  let rigs: Rigs;

  before(async function () {
    this.timeout(LAB_TIMEOUT_MS);
    requirePart(this, 'lab');
    requirePart(this, 'redis-sentinel');
    requirePart(this, 'faketime');
    lab = await useLab();
    const [host] = lab.hosts;
    hosts = { hosts: [host], subnet: lab.subnet, ...host.users.ethnode };
    rigs = createRigs({ lab: hosts, random: createRandom(SEED), share: true });
    await buildServer();
  });
  after(async () => {
    await rigs?.stop();
    await lab?.release();
  });

  for (const scenario of inRigOrder(SCENARIOS)) {
    const promises = scenario.promises.map((rule) => `[${rule}]`).join(' ');
    it(`${promises} ${scenario.rule}: ${scenario.title}`, async function () {
      this.timeout(SCENARIO_TIMEOUT_MS);
      const outcome: Outcome = await runScenario({
        scenario,
        size: scenario.short,
        seed: SEED,
        long: false,
        lab: hosts,
        rigs,
        log: () => {},
      });
      assert.deepEqual(outcome.violations, [], outcome.notes.join('; '));
      assert.ok(outcome.delivered > 0);
    });
  }
});
