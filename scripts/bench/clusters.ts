import type { Cluster, ClusterOptions } from './server.ts';

type Wish = Pick<ClusterOptions, 'instances' | 'profile'>;

/** Clusters for benches that run one after the other. */
export interface Clusters {
  /** One with at least so many servers, all running. Whoever takes it stops it. */
  take(wish: Wish): Promise<Cluster>;
  /** Ends what is kept; idempotent. */
  stop(): Promise<void>;
}

/**
 * Each bench gets a cluster of its own, or, with `share`, what the one before has left of it: for tiny numbers, where
 * starting servers takes longer than all that follows.
 */
export function createClusters(options: { share: boolean; start(wish: Wish): Promise<Cluster> }): Clusters {
  let kept: Cluster | null = null;
  async function stop(): Promise<void> {
    const old = kept;
    kept = null;
    await old?.stop();
  }
  return {
    async take({ instances, profile }) {
      if (!options.share) return options.start({ instances, profile });
      const isFit =
        kept && kept.servers.length >= instances && kept.servers.every(({ isRunning }) => isRunning());
      if (!isFit) await stop();
      // Enough for every bench.
      kept ??= await options.start({ instances: Math.max(instances, 2), profile });
      return { ...kept, stop: async () => {} };
    },
    stop,
  };
}
