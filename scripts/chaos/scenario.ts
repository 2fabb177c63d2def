import type { Instance } from './instance.ts';
import type { Span } from './processor.ts';
import type { Random } from './random.ts';
import type { Rig, RigOptions } from './rig.ts';
import type { Audience, Viewer } from './viewers.ts';

export interface Size {
  /** How often the fault happens. */
  repeats: number;
  /** No further fault begins after so many minutes; without end unless told. */
  minutes?: number;
  /** Lines a second, of all units together. */
  rate: number;
  viewers: number;
}

/** What a scenario's faults work on. */
export interface Stage {
  readonly rig: Rig;
  readonly audience: Audience;
  readonly random: Random;
  readonly size: Size;
  /** Long waits are worth it: not in the short form that the tests run. */
  readonly long: boolean;
  /**
   * Adds times from a fault to the first new line.
   * @returns them in ms, in the short form without what an instance, or this process, waited for a processor: bounds hold
   *   for these
   */
  tookOver(spans: readonly Span[]): number[];
  /** Says what the fault of this turn was, where a scenario has several kinds. */
  did(kind: string): void;
  /** Adds a remark to the report. */
  note(text: string): void;
  /** Something that must not be. */
  violation(text: string): void;
  /** Keeps what the journal of a unit holds now as part of the truth: for faults that remove lines from it. */
  remember(): Promise<void>;
  /** A viewer that is not checked, and not started. */
  makeViewer(home: number, unit?: string): Viewer;
}

export interface Scenario {
  /** As on the command line: `r1-kill`. */
  name: string;
  /** The row of the fault catalogue. */
  rule: string;
  /** Rules of the contract that it tests. */
  promises: readonly string[];
  title: string;
  rig?: RigOptions;
  /** Units watched, each on the first host; `execution` unless told. Viewers are spread over them. */
  units?: readonly string[];
  /** Size unless told otherwise, and in the tests. */
  full: Size;
  short: Size;
  /** Bytes of a printed line; short unless told. */
  lineBytes?: number;
  /** Bounds of the take-over times, in ms; in the short form waits for a processor are left out. */
  limits?: { p50?: number; p99?: number };
  /** Notices of gaps are part of this fault; elsewhere each one is a violation. */
  gaps?: boolean;
  /** The end of all remote processes after the last viewer is waited for in the short form too. */
  leaving?: boolean;
  /** Everything that could pile up is counted before the viewers come and after they have left. */
  counters?: boolean;
  /** Once, before the lines start. */
  prepare?(stage: Stage): Promise<void>;
  /** One fault, from a calm cluster to a calm cluster. */
  fault(stage: Stage, turn: number): Promise<void>;
}

/** Longest wait for lines after any fault, in ms: what takes longer is broken, not slow. */
export const RECOVERY_MS = 40_000;

/** Viewers of instances other than this one. */
export function othersThan(stage: Stage, instance: Instance): Viewer[] {
  const index = stage.rig.instances.indexOf(instance);
  return stage.audience.viewers.filter((viewer) => viewer.at !== index);
}

/** Waits until lines flow everywhere. */
export async function calm(stage: Stage): Promise<void> {
  await stage.audience.mark().passed({ timeoutMs: RECOVERY_MS });
}

/** A random moment, so that faults do not fall on the same phase of leases and batches. */
export async function anyMoment(stage: Stage): Promise<void> {
  await wait(stage.random.between(300, 1500));
}

export function wait(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
