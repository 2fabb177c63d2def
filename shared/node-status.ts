import { z } from 'zod';

/** The one-word status of a unit [SIO-6]. `unknown`: the host could not be asked, or answered something new. */
export const STATUS_WORDS = [
  'active',
  'inactive',
  'failed',
  'activating',
  'deactivating',
  'reloading',
  'not_installed',
  'unknown',
] as const;
export type StatusWord = (typeof STATUS_WORDS)[number];

const count = z.number().int().nonnegative();

/**
 * What a client's newest lines say about its chain. Each number is there only if the client printed it within the last
 * minutes.
 */
export const chainFactsSchema = z.object({
  /** Newest block of the execution chain. */
  headBlock: count.optional(),
  finalizedBlock: count.optional(),
  /** Newest slot of the beacon chain. */
  headSlot: count.optional(),
  finalizedEpoch: count.optional(),
  justifiedEpoch: count.optional(),
  peers: count.optional(),
  /** Blocks or slots between the head and the network's, 0 when synced. */
  syncDistance: count.optional(),
  /** Whether the client says that it keeps up with the network. */
  synced: z.boolean().optional(),
});
export type ChainFacts = z.infer<typeof chainFactsSchema>;

/** What two lines say together; a distance told in another state of synchronisation is over. */
export function mergeFacts(older: ChainFacts, newer: ChainFacts): ChainFacts {
  const merged = { ...older, ...newer };
  const other = newer.synced !== undefined && newer.synced !== older.synced;
  if (other && newer.syncDistance === undefined) delete merged.syncDistance;
  return merged;
}

export const unitStatusSchema = z.object({
  service: z.string(),
  status: z.enum(STATUS_WORDS),
  /** systemd's SubState: running, dead, auto-restart, ... */
  subState: z.string().optional(),
  description: z.string().optional(),
  /** When the unit entered its state: ISO 8601 UTC. */
  since: z.string().optional(),
  pid: z.number().optional(),
  /** Automatic restarts since the unit was started by hand (NRestarts). */
  restarts: z.number().optional(),
  memoryBytes: z.number().optional(),
  /** CPU time used by the unit, in nanoseconds. */
  cpuNsec: z.number().optional(),
  /** systemd's Result: success, exit-code, signal, oom-kill, ... */
  result: z.string().optional(),
  exitCode: z.number().optional(),
  /** The client that runs in the unit, from its Description: geth, lighthouse, ... lower case. */
  client: z.string().optional(),
  /** How its chain is, for execution and consensus clients that run. */
  facts: chainFactsSchema.optional(),
});
export type UnitStatus = z.infer<typeof unitStatusSchema>;

export const statusTransitionSchema = z.object({
  service: z.string(),
  from: z.enum(STATUS_WORDS),
  to: z.enum(STATUS_WORDS),
  /** ISO 8601 UTC. */
  at: z.string(),
  /** What systemd said about it, one sentence; empty where it said nothing. */
  cause: z.string(),
  /** The unit's last lines before the change, oldest first, at most 10. */
  lines: z.array(z.string()),
});
export type StatusTransition = z.infer<typeof statusTransitionSchema>;
