import type { Lab } from '../lab/lab.ts';
import type { Clusters } from './clusters.ts';

/** What every bench is given. */
export interface Context {
  lab(): Promise<Lab>;
  /** Servers that watch the lab's first host. */
  clusters: Clusters;
  /** For configurations, logs and profiles; removed at the end unless profiles are wanted. */
  folder: string;
  /** Tiny numbers: shows that everything runs, measures nothing. */
  short: boolean;
  rounds: number;
  /** CPU profiles of our servers go to the folder. */
  profile: boolean;
  /** Only candidates whose names contain one of these; all where there is none. */
  only: readonly string[];
  log(line: string): void;
}

/** A figure beside the bound it has to keep. */
export interface Bound {
  what: string;
  value: number;
  /** `>=` or `<=` and the bound. */
  relation: '>=' | '<=';
  bound: number;
  unit: string;
}

/** What a bench found: a section of docs/benchmarks.md. */
export interface Section {
  name: string;
  title: string;
  /** What is measured, and how. */
  method: string;
  head: readonly string[];
  rows: readonly (readonly string[])[];
  bounds: readonly Bound[];
  notes: readonly string[];
}
