import assert from 'node:assert/strict';
import { createFactsKeeper } from '../../../server/status/chain-facts.ts';
import type { ReadUnitFacts } from '../../../server/status/types.ts';
import type { ChainFacts, UnitStatus } from '../../../shared/node-status.ts';
import { createFakeClock, type FakeClock } from '../../support/fake-clock.ts';
import { login, silent, useStatusRig } from '../../support/status-rig.ts';

const unit = (pid = 1, status: UnitStatus['status'] = 'active'): UnitStatus => ({
  service: 'execution',
  status,
  pid,
  client: 'geth',
});

describe('facts of the status feed', () => {
  let clock: FakeClock;
  let next: ChainFacts | Error;
  let asked: { units: string[]; sinceUs: number | undefined }[];
  let abort: AbortController;
  let hostAheadMs: number;
  const unitFacts: ReadUnitFacts = async (_target, units, { sinceUs }) => {
    asked.push({ units: units.map(({ service }) => service), sinceUs });
    if (next instanceof Error) throw next;
    // As journalctl: backwards it ends at the first line that is too old.
    const newestUs = (clock.now() + hostAheadMs) * 1000;
    if (sinceUs !== undefined && newestUs < sinceUs) return { facts: new Map(), newestUs: null };
    return { facts: new Map([['execution', next]]), newestUs };
  };
  const keeper = (known: UnitStatus[] = []) =>
    createFactsKeeper({ unitFacts, clock, logger: silent, signal: abort.signal, known });

  beforeEach(() => {
    clock = createFakeClock();
    asked = [];
    hostAheadMs = 0;
    abort = new AbortController();
    next = { headBlock: 5, peers: 3 };
  });

  it('reads at most each 15 s, from where the last reading ended, and only units that run', async () => {
    const facts = keeper();
    const others: UnitStatus[] = [unit(), { service: 'charon', status: 'not_installed' }];
    for (let second = 0; second < 31; second++) {
      facts.refresh(login('a'), others);
      await facts.idle();
      await clock.advance(1000);
    }
    assert.deepEqual(
      asked.map(({ units }) => units),
      [['execution'], ['execution'], ['execution']],
    );
    assert.equal(asked[0]?.sinceUs, undefined);
    assert.deepEqual(
      asked.slice(1).map(({ sinceUs }) => sinceUs),
      [0, 15].map((second) => (clock.now() - 31_000 + second * 1000) * 1000),
    );
    facts.refresh(login('a'), [unit(1, 'failed')]);
    assert.equal(asked.length, 3);
  });

  it('keeps what was told, each for five minutes, and of one process only', async () => {
    const facts = keeper();
    const read = async () => {
      facts.refresh(login('a'), [unit()]);
      await facts.idle();
    };
    assert.deepEqual(facts.complete([unit()]), [unit()]);
    await read();
    assert.deepEqual(facts.complete([unit()])[0]?.facts, { headBlock: 5, peers: 3 });
    await clock.advance(200_000);
    next = { headBlock: 6 };
    await read();
    assert.deepEqual(facts.complete([unit()])[0]?.facts, { headBlock: 6, peers: 3 });
    await clock.advance(200_000);
    assert.deepEqual(facts.complete([unit()])[0]?.facts, { headBlock: 6 });
    assert.equal(facts.complete([unit(2)])[0]?.facts, undefined);
    assert.equal(facts.complete([unit(1, 'unknown')])[0]?.facts, undefined);
    await clock.advance(200_000);
    assert.equal(facts.complete([unit()])[0]?.facts, undefined);
  });

  it('[R14] goes on to tell facts where the clock of the host was set back', async () => {
    const facts = keeper();
    const read = async () => {
      facts.refresh(login('a'), [unit()]);
      await facts.idle();
      await clock.advance(15_000);
    };
    await read();
    hostAheadMs = -3_600_000;
    next = { headBlock: 7 };
    await read();
    await read();
    assert.deepEqual(facts.complete([unit()])[0]?.facts, { headBlock: 7, peers: 3 });
  });

  it('forgets a distance when the client falls behind, and begins with what another instance knew', async () => {
    const facts = keeper([{ ...unit(), facts: { headBlock: 4, synced: true, syncDistance: 0 } }]);
    assert.deepEqual(facts.complete([unit()])[0]?.facts, { headBlock: 4, synced: true, syncDistance: 0 });
    next = { synced: false };
    facts.refresh(login('a'), [unit()]);
    await facts.idle();
    assert.deepEqual(facts.complete([unit()])[0]?.facts, { headBlock: 4, synced: false });
  });

  it('goes on without facts where the journal cannot be read', async () => {
    const facts = keeper();
    next = new Error('no permission');
    facts.refresh(login('a'), [unit()]);
    await facts.idle();
    assert.deepEqual(facts.complete([unit()]), [unit()]);
    abort.abort();
    await clock.advance(60_000);
    facts.refresh(login('a'), [unit()]);
    assert.equal(asked.length, 1);
  });

  describe('in a feed', () => {
    const rig = useStatusRig((parts) => {
      clock = parts.clock;
    });

    it('[SIO-6] tells facts with the next list, and new facts are no change by themselves', async () => {
      const seen: (ChainFacts | undefined)[] = [];
      const { viewer } = rig.createViewer(5000);
      rig.createFeed({ unitFacts }).subscribe({ ...viewer, onUpdate: (list) => seen.push(list[0]?.facts) });
      await clock.advance(30_000);
      assert.equal(seen[0], undefined);
      assert.ok(seen.length >= 5 && seen.length <= 7, `${seen.length} lists in 30 s`);
      for (const facts of seen.slice(1)) assert.deepEqual(facts, { headBlock: 5, peers: 3 });
    });
  });
});
