import assert from 'node:assert/strict';
import { type Outcome, runScenario } from '../../scripts/chaos/run.ts';
import { SCENARIOS } from '../../scripts/chaos/scenarios/index.ts';
import { LAB_TIMEOUT_MS, type TestLab, useLab } from '../support/lab.ts';
import { requirePart } from '../support/parts.ts';

/** A scenario takes 5 to 60 s, on a busy machine twice that. */
const SCENARIO_TIMEOUT_MS = 180_000;
const SEED = 20_240;

/** Short forms of `npm run chaos`: real servers, Redis and host, some viewers, one to three faults each. */
describe('chaos, in short', () => {
  let lab: TestLab;

  before(async function () {
    this.timeout(LAB_TIMEOUT_MS);
    requirePart(this, 'lab');
    requirePart(this, 'redis-sentinel');
    lab = await useLab();
  });
  after(async () => {
    await lab?.release();
  });

  for (const scenario of SCENARIOS) {
    const promises = scenario.promises.map((rule) => `[${rule}]`).join(' ');
    it(`${promises} ${scenario.rule}: ${scenario.title}`, async function () {
      this.timeout(SCENARIO_TIMEOUT_MS);
      const [host] = lab.hosts;
      const outcome: Outcome = await runScenario({
        scenario,
        size: scenario.short,
        seed: SEED,
        long: false,
        lab: { hosts: [host], subnet: lab.subnet, ...host.users.ethnode },
        log: () => {},
      });
      assert.deepEqual(outcome.violations, [], outcome.notes.join('; '));
      assert.ok(outcome.delivered > 0);
    });
  }
});
