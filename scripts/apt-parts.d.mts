export interface Part {
  package: string;
  programs: string[];
  why: string;
  service?: string;
}

export const PARTS: readonly Part[];

export interface Machine {
  has(program: string): boolean;
  run(program: string, args: string[]): string | null;
  isRoot(): boolean;
  isDebian(): boolean;
  log(line: string): void;
  withoutServices(work: () => void): void;
}

export function ensureParts(overrides?: Partial<Machine>): string[];
