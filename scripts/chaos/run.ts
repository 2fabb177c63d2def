import { readFileSync, statSync } from 'node:fs';
import { copyFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { LabHost } from '../lab/host.ts';
import type { JournalRecord } from '../lab/journal.ts';
import { waitFor } from '../lab/wait.ts';
import { addVerdicts, checkHistory, percentile, type Verdict } from './checker.ts';
import { type Counters, describeCounters, leftBehind, takeCounters } from './counters.ts';
import { createLines, type Lines } from './lines.ts';
import { lengthOf, type Span, watchProcessor } from './processor.ts';
import { createProduction, type Production } from './production.ts';
import { createRandom } from './random.ts';
import { type Hosts, PLAIN, type Rig } from './rig.ts';
import type { Rigs } from './rigs.ts';
import { calm, type Scenario, type Size, type Stage } from './scenario.ts';
import { createAudience, createViewer, describeErrors } from './viewers.ts';

export interface RunOptions {
  scenario: Scenario;
  size: Size;
  seed: number;
  long: boolean;
  lab: Hosts;
  /** Where its rig comes from, and goes to. */
  rigs: Rigs;
  /** Folder that gets the servers' logs where something was wrong. */
  logsTo?: string;
  log(line: string): void;
}

export interface Outcome {
  scenario: Scenario;
  size: Size;
  /** Lines in the journals, and delivered to all viewers together. */
  lines: number;
  delivered: number;
  verdict: Verdict;
  takeOver: { count: number; p50: number; p99: number; max: number };
  notes: string[];
  violations: string[];
}

/** Lines that were printed reach every viewer within this time after the last fault, in ms. */
const DRAIN_MS = 60_000;
/** [LOG-5]: what runs on a host for viewers ends this long after the last one has left; with a little for looking. */
const LEAVE_MS = 31_000;
/** SSH connections without a channel end after 30 s; with a little for looking. */
const IDLE_MS = 40_000;
/** In the short form nobody waits for that, only for sockets that are just being closed. */
const CLOSE_MS = 10_000;
/** What an instance may have grown by when all is over, in MiB: heaps breathe, leaks go on. */
const GROWN_MIB = 96;
/** Keys that are meant to last: pinned host keys. */
const MAY_LAST = /^tailwire:host-key:/;

/** Runs one scenario from start to end. @throws Error where the rig itself fails */
export async function runScenario(options: RunOptions): Promise<Outcome> {
  const { scenario, size, lab, rigs, log } = options;
  const random = createRandom(options.seed);
  const units = scenario.units ?? ['execution'];
  const [host] = lab.hosts;
  if (!host) throw new Error('A scenario needs a host');
  const notes: string[] = [];
  const violations: string[] = [];
  const takeOvers: Span[] = [];
  /** The same in ms, in the short form without waits for a processor. */
  const ownTakeOvers: number[] = [];
  const audience = createAudience();
  const lines = new Map<string, Lines>(units.map((unit) => [unit, createLines()]));
  const remembered = new Map<string, JournalRecord[]>(units.map((unit) => [unit, []]));
  const productions: Production[] = [];
  const kinds = new Map<string, number>();
  const linesOf = (unit: string) => lines.get(unit) ?? createLines();

  log(`${scenario.name}: ${scenario.title}`);
  const since = new Map(
    await Promise.all(units.map(async (unit) => [unit, await fromNewest(host, unit)] as const)),
  );
  const rig = await rigs.take(scenario.rig ?? PLAIN);
  const logs = rig.instances.map(({ logFile }) => ({ logFile, from: statSync(logFile).size }));
  const processor = watchProcessor(() => rig.instances.map(({ pid }) => pid));
  let isSound = false;
  try {
    const token = await rig.login();
    const makeViewer: Stage['makeViewer'] = (home, unit = units[0] ?? '') =>
      createViewer({ unit, lines: linesOf(unit), token, addresses: rig.addresses, home, random });
    const stage: Stage = {
      rig,
      audience,
      random,
      size,
      long: options.long,
      tookOver(spans) {
        // The short form runs wherever tests do, beside whatever else there is; the long one holds bounds to the wall clock.
        const waited = (span: Span) => (options.long ? 0 : processor.within(span));
        const own = spans.map((span) => lengthOf(span) - waited(span));
        takeOvers.push(...spans);
        ownTakeOvers.push(...own);
        return own;
      },
      did: (kind) => void kinds.set(kind, (kinds.get(kind) ?? 0) + 1),
      note: (text) => void notes.push(text),
      violation: (text) => void violations.push(text),
      async remember() {
        for (const unit of units)
          for (const record of await host.journal(unit, since.get(unit))) remembered.get(unit)?.push(record);
      },
      makeViewer,
    };

    const run = `chaos-${process.pid}-${Date.now().toString(36)} `;
    for (const unit of units) {
      const size = scenario.lineBytes === undefined ? {} : { lineBytes: scenario.lineBytes };
      const rate = options.size.rate / units.length;
      productions.push(await createProduction({ host, unit, rate, prefix: run, ...size }));
    }
    await scenario.prepare?.(stage);
    const before = scenario.counters ? await countBefore(lab, rig) : null;
    const count = rig.instances.length;
    const viewers = Array.from({ length: size.viewers }, (_, n) =>
      makeViewer(n % count, units[Math.floor(n / count) % units.length]),
    );
    await audience.add(viewers);
    for (const production of productions) production.start();
    await calm(stage);
    const atRest = rig.instances.map((instance) => instance.rss());

    const peaks = [...atRest];
    const done = await turns(stage, scenario, (line) => {
      rig.instances.forEach((instance, n) => {
        peaks[n] = Math.max(peaks[n] ?? 0, instance.rss());
      });
      log(line);
    });
    if (done.failure !== null) violations.push(done.failure);

    await Promise.all(productions.map((production) => production.stop()));
    await stage.remember();
    const verdicts: Verdict[] = [];
    let total = 0;
    for (const unit of units) {
      const known = linesOf(unit);
      const journal = remembered.get(unit) ?? [];
      const mine = audience.viewers.filter((viewer) => viewer.unit === unit);
      const end = String(journal.at(-1)?.__CURSOR);
      const waiting = () => mine.filter((viewer) => !known.isAt(viewer.newest, end));
      await waitFor('the last line', () => waiting().length === 0, { timeoutMs: DRAIN_MS }).catch(() =>
        violations.push(`${waiting().length} viewers of ${unit} never got its last line`),
      );
      const isFirst = (message: string) => message.startsWith(run) && /seq=1\b/.test(message);
      const { truth, wrongTexts } = known.compare(journal, isFirst);
      total += truth.length;
      if (wrongTexts + known.altered > 0)
        violations.push(`${wrongTexts + known.altered} lines with another text`);
      verdicts.push(...mine.map((viewer) => checkHistory(viewer.history, truth)));
    }
    const verdict = addVerdicts(verdicts);
    judge(
      scenario,
      verdict,
      ownTakeOvers,
      violations,
      audience.viewers.reduce((sum, one) => sum + one.unrecovered, 0),
    );

    if (verdict.announcedGaps > 0)
      notes.push(`${verdict.announcedGaps} gaps announced, ${verdict.announcedLines} lines in them`);
    const rss = rig.instances.map((instance) => instance.rss());
    notes.push(
      `RSS ${rss.map((bytes, n) => `${mebibytes(atRest[n] ?? 0)}→${mebibytes(bytes)} (peak ${mebibytes(peaks[n] ?? 0)})`).join(' ')} MiB`,
    );
    if (kinds.size > 0)
      notes.push(`faults: ${[...kinds].map(([kind, times]) => `${kind} ${times}`).join(', ')}`);
    const times = takeOvers.map(lengthOf);
    const waited = Math.round(percentile(times, 0.99) - percentile(ownTakeOvers, 0.99));
    if (waited > 0) notes.push(`${waited} ms of the take-over p99 without a processor`);
    notes.push(`ownerships ${ownerships(logs)}`);
    const errors = describeErrors(audience.viewers);
    if (errors) notes.push(`errors seen: ${errors}`);

    audience.leave();
    if (options.long || scenario.leaving || before) await quiet(lab, notes, violations);
    if (before) {
      await settled(rig, before, options.long, notes, violations);
      rig.instances.forEach((instance, n) => {
        const grown = mebibytes(instance.rss() - (atRest[n] ?? 0));
        if (grown > GROWN_MIB) violations.push(`${instance.name} has grown by ${grown} MiB`);
      });
    }
    const lasting = (await rig.lastingKeys()).filter((key) => !MAY_LAST.test(key));
    if (lasting.length > 0) violations.push(`keys without an end: ${lasting.join(' ')}`);

    isSound = violations.length === 0;
    return {
      scenario,
      size: { ...size, repeats: done.turns },
      lines: total,
      delivered: verdict.seen,
      verdict,
      takeOver: {
        count: times.length,
        p50: percentile(times, 0.5),
        p99: percentile(times, 0.99),
        max: percentile(times, 1),
      },
      notes,
      violations,
    };
  } finally {
    processor.stop();
    if (options.logsTo !== undefined && violations.length > 0) {
      for (const { name, logFile } of rig.instances) {
        await copyFile(logFile, join(options.logsTo, `${scenario.name}-${name}.log`)).catch(() => {});
      }
    }
    audience.leave();
    for (const production of productions) await production.stop().catch(() => {});
    await rigs.giveBack(rig, { isSound });
  }
}

/**
 * The part of a unit's journal that viewers from now on can see: one that comes to a stream which runs may be given the
 * newest line so far before it knows of later ones.
 * @returns arguments of journalctl
 */
async function fromNewest(host: LabHost, unit: string): Promise<string[]> {
  const [newest] = await host.journal(unit, ['--lines=1']);
  return newest ? [`--cursor=${String(newest.__CURSOR)}`] : [];
}

/** Waits until nothing runs on the hosts any more, nor begins again within a second. */
async function quiet(lab: Hosts, notes: string[], violations: string[]): Promise<void> {
  const left = performance.now();
  const running = () => followers(lab);
  let since: number | null = null;
  const probe = () => {
    since = running() > 0 ? null : (since ?? performance.now());
    return since !== null && performance.now() - since > 1000;
  };
  await waitFor('no journalctl on the hosts', probe, { timeoutMs: LEAVE_MS, everyMs: 100 }).then(
    () => notes.push(`hosts quiet ${(((since ?? left) - left) / 1000).toFixed(1)} s after the last viewer`),
    () => violations.push(`${running()} journalctl still run 30 s after the last viewer has left`),
  );
}

/** Counts once nothing runs on the hosts any more of what an earlier rig began. */
async function countBefore(lab: Hosts, rig: Rig): Promise<Counters> {
  await waitFor('no journalctl on the hosts', () => followers(lab) === 0, {
    timeoutMs: LEAVE_MS,
    everyMs: 100,
  });
  return takeCounters(rig);
}

const followers = (lab: Hosts) => lab.hosts.reduce((sum, host) => sum + host.countProcesses(/journalctl/), 0);

/** Waits until nothing is left of what the viewers and the faults brought along. */
async function settled(
  rig: Rig,
  before: Counters,
  long: boolean,
  notes: string[],
  violations: string[],
): Promise<void> {
  let after = before;
  const probe = async () => {
    after = await takeCounters(rig);
    return leftBehind(before, after, { idle: long }).length === 0;
  };
  await waitFor('the end of all that was begun', probe, {
    timeoutMs: long ? IDLE_MS : CLOSE_MS,
    everyMs: 500,
  }).catch(() => violations.push(`left behind: ${leftBehind(before, after, { idle: long }).join(', ')}`));
  notes.push(`counters before and after: ${describeCounters(before, after)}`);
}

/** How often an instance became the owner of a stream, by the instances' own logs. */
function ownerships(logs: readonly { logFile: string; from: number }[]): number {
  const texts = logs.map(({ logFile, from }) => readFileSync(logFile).subarray(from).toString());
  return texts.join('').split('stream is owned here').length - 1;
}

/** Runs the faults. @returns how many there were, and what ended them early */
async function turns(
  stage: Stage,
  scenario: Scenario,
  log: (line: string) => void,
): Promise<{ turns: number; failure: string | null }> {
  const { repeats, minutes } = stage.size;
  const until = minutes === undefined ? null : performance.now() + minutes * 60_000;
  const isOver = (turn: number) => (until === null ? turn >= repeats : performance.now() > until);
  let turn = 0;
  try {
    for (; !isOver(turn); turn++) {
      const started = performance.now();
      await scenario.fault(stage, turn);
      const seconds = ((performance.now() - started) / 1000).toFixed(1);
      const rss = stage.rig.instances.map((instance) => mebibytes(instance.rss())).join(' ');
      log(`  ${turn + 1}/${until === null ? repeats : '?'} in ${seconds} s, RSS ${rss} MiB`);
    }
    return { turns: turn, failure: null };
  } catch (error) {
    return { turns: turn, failure: error instanceof Error ? error.message : String(error) };
  }
}

function judge(
  scenario: Scenario,
  verdict: Verdict,
  takeOvers: readonly number[],
  violations: string[],
  unrecovered: number,
): void {
  const { lost, duplicated, reordered, invented, silentGaps, announcedGaps } = verdict;
  for (const [what, count] of Object.entries({ lost, duplicated, reordered, invented, silentGaps })) {
    if (count > 0) violations.push(`${what}: ${count}`);
  }
  if (!scenario.gaps && announcedGaps > 0)
    violations.push(`${announcedGaps} gaps announced where nothing is missing`);
  if (!scenario.gaps && unrecovered > 0) violations.push(`${unrecovered} subscriptions not recovered`);
  for (const [name, share] of [
    ['p50', 0.5],
    ['p99', 0.99],
  ] as const) {
    const limit = scenario.limits?.[name];
    const value = percentile(takeOvers, share);
    if (limit !== undefined && value > limit) {
      violations.push(`take-over ${name} ${Math.round(value)} ms, more than ${limit} ms`);
    }
  }
}

const mebibytes = (bytes: number) => Math.round(bytes / 1_048_576);
