import type { Random } from './random.ts';
import { createRig, type Hosts, type Rig, type RigOptions } from './rig.ts';

/** Rigs for scenarios that run one after the other. */
export interface Rigs {
  /** A rig with these options (the same object, not an equal one), all its parts running. */
  take(options: RigOptions): Promise<Rig>;
  /** Takes it back: for the next scenario, or to its end where something in it may be broken. */
  giveBack(rig: Rig, options: { isSound: boolean }): Promise<void>;
  /** Ends what is kept; idempotent. */
  stop(): Promise<void>;
}

/**
 * @param options share: a rig that a scenario gives back in order serves the next one too, where that wants the same kind;
 *   starting three servers takes as long as many a fault
 */
export function createRigs(options: { lab: Hosts; random: Random; share: boolean }): Rigs {
  const { lab, random, share } = options;
  let kept: { kind: RigOptions; rig: Rig } | null = null;

  async function stop(): Promise<void> {
    const old = kept;
    kept = null;
    await old?.rig.stop();
  }

  return {
    async take(kind) {
      if (kept?.kind !== kind) await stop();
      kept ??= { kind, rig: await createRig(lab, random, kind) };
      return kept.rig;
    },
    async giveBack(rig, { isSound }) {
      const isRunning = rig.instances.every(({ url }) => url !== null);
      if (!share || !isSound || !isRunning) await stop();
    },
    stop,
  };
}
