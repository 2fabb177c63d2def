import type { ErrorCode, ErrorPayload } from '../../shared/errors.ts';
import type { ChainFacts, StatusTransition, UnitStatus } from '../../shared/node-status.ts';
import type { Stoppable } from '../core/types.ts';
import type { SshTarget } from '../ssh/types.ts';

/** Time as the status feed sees it, so that its rules can be tested without waiting. */
export interface Clock {
  /** Epoch ms. */
  now(): number;
  /** Runs once after `ms`; @returns a function that cancels it. */
  after(ms: number, run: () => void): () => void;
}

/** A journal entry as far as the watcher uses it. */
export interface SystemdRecord {
  /** When journald received it, in microseconds since the epoch. */
  readonly realtimeUs: number;
  readonly message: string;
  /** The other fields that were asked for. */
  readonly extra: Readonly<Record<string, string>>;
}

/**
 * Follows a host's journal from now on, unprivileged first and with `sudo -n` only after a permission failure [LOG-7].
 * `matches` are journalctl's FIELD=value arguments, `fields` the fields wanted in `extra`.
 * Ends without error when `signal` aborts, and no process stays behind; otherwise ends when journalctl ends, by
 * @throws AppError journal_permission, host_unreachable, ssh_closed, ...
 */
export type FollowJournal = (
  target: SshTarget,
  query: { matches: readonly string[]; fields: readonly string[] },
  options: { signal: AbortSignal },
) => AsyncIterable<readonly SystemdRecord[]>;

/** A unit's own newest lines up to a moment (epoch ms, by the host's clock), oldest first. */
export type LastLines = (
  target: SshTarget,
  service: string,
  query: { count: number; untilMs: number },
  options: { signal: AbortSignal },
) => Promise<string[]>;

/** What the newest lines of units say about their chains, of lines since a moment (epoch microseconds, host's clock). */
export type ReadUnitFacts = (
  target: SshTarget,
  units: readonly { service: string; client?: string | undefined }[],
  options: { sinceUs?: number | undefined; signal: AbortSignal },
) => Promise<{ facts: ReadonlyMap<string, ChainFacts>; newestUs: number | null }>;

/** Asks a host for its units: one status each, in order. @throws AppError */
export type Probe = (
  target: SshTarget,
  services: readonly string[],
  options: { signal: AbortSignal },
) => Promise<UnitStatus[]>;

/** What the poll of a host found at one moment. Plain data: it travels between instances as JSON. */
export interface HostSnapshot {
  /** The instance that asked the host. */
  by: string;
  /** Fence of its lease; a board refuses snapshots with an older one than it has seen. */
  fence: number;
  /** Epoch ms of the answer, by that instance's clock. */
  at: number;
  /** Poll interval at the time, in ms. */
  every: number;
  units: UnitStatus[];
  /** Why the host could not be asked; all units are `unknown` then. */
  error: ErrorCode | null;
  /** True where something a viewer sees differs from the snapshot before: due to everyone at once. */
  changed: boolean;
}

/** What one instance wants to know about a host, for all its viewers together. */
export interface StatusWish {
  /** Smallest poll interval wanted, in ms. */
  interval: number;
  services: string[];
}

/**
 * Where the instances of a cluster share what they know about hosts: the holder of the lease `status:<key>` asks the
 * host and publishes, everyone reads. Publishing is best effort; what gets lost, the next poll repeats.
 */
export interface StatusBoard extends Stoppable {
  /** The newest snapshot; null where there is none. @throws AppError store_unavailable */
  read(key: string): Promise<HostSnapshot | null>;
  /** @returns false where a newer fence has published: this holder is none any more. @throws AppError store_unavailable */
  publish(key: string, snapshot: HostSnapshot): Promise<boolean>;
  /** Passes transitions on; they follow the snapshot that showed the change. @throws AppError store_unavailable */
  announce(key: string, by: string, transitions: StatusTransition[]): Promise<void>;
  /** Tells of every publication, this instance's own included. @returns a function that ends it */
  onPublish(
    key: string,
    listener: {
      onSnapshot(snapshot: HostSnapshot): void;
      onTransitions(by: string, list: StatusTransition[]): void;
    },
  ): () => void;
  /** Says for `ttlMs` what an instance wants of a host; null takes it back. @throws AppError store_unavailable */
  wish(key: string, instanceId: string, wish: StatusWish | null, ttlMs: number): Promise<void>;
  /** The wishes in force, by instance. @throws AppError store_unavailable */
  wishes(key: string): Promise<Map<string, StatusWish>>;
  /** Tells when the wishes for a host may have changed; a hint, reading them now and then remains necessary. */
  onWish(key: string, listener: () => void): () => void;
}

/** Someone who watches the units of a host. The callbacks must not throw. */
export interface StatusViewer {
  /** The viewer's own login; any viewer's login may be the one that asks the host. */
  target: SshTarget;
  /** Units as `normalizeUnit` gives them, in display order. */
  services: readonly string[];
  /** ms; brought into the bounds of `shared/events.ts`. */
  interval: number;
  /** The full list of the viewer's units. */
  onUpdate(list: UnitStatus[]): void;
  onTransition(transition: StatusTransition): void;
  /** The host cannot be asked; told once until the reason changes. Recovery shows in the next list. */
  onError(error: ErrorPayload): void;
}

export interface StatusSubscription {
  setInterval(ms: number): void;
  /** Idempotent. */
  unsubscribe(): void;
}

export interface StatusFeed extends Stoppable {
  /** Starts watching; the first list comes as soon as there is one that is fresh enough. @throws AppError draining after stop */
  subscribe(viewer: StatusViewer): StatusSubscription;
  stats(): { hosts: number; viewers: number };
}
