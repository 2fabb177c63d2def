import { AppError } from '../core/errors.ts';
import { steadyNow } from '../core/steady-time.ts';
import type { SshLimits } from './limits.ts';

/** A user seldom notices a delay up to this, in ms; it keeps several instances from stepping in time. */
const JITTER_MS = 50;

/** Hosts remembered for their penalty alone; beyond it the ones that are over are dropped. */
const MAX_IDLE_HOSTS = 1_000;

export type HandshakeOutcome = 'done' | 'auth_failed';

/** Lets handshakes with one sshd through, a few at a time. */
export interface HandshakeGate {
  /**
   * Waits for a turn. `proven` credentials have logged in before; the others go in smaller numbers, and slower after failures.
   * @returns a function to call once at the end with the outcome and what the sshd calls itself
   * @throws AppError ssh_busy (queue full or waited too long), ssh_closed where the signal aborted
   */
  enter(
    host: string,
    options: { proven: boolean; signal?: AbortSignal },
  ): Promise<(outcome: HandshakeOutcome, software: string) => void>;
}

interface Waiter {
  proven: boolean;
  start: () => void;
}

interface HostState {
  active: number;
  unproven: number;
  queue: Waiter[];
  /** Penalty at the time `at`, both in ms; it passes like time itself. */
  penalty: number;
  at: number;
  timer: NodeJS.Timeout | undefined;
}

/** Whether an sshd punishes failed logins by default: OpenSSH 9.8 and later. */
export function keepsScore(software: string): boolean {
  const version = /^OpenSSH_(\d+)\.(\d+)/.exec(software);
  return version !== null && Number(version[1]) * 100 + Number(version[2]) >= 908;
}

export function createHandshakeGate(limits: SshLimits, now: () => number = steadyNow): HandshakeGate {
  const hosts = new Map<string, HostState>();

  function penalty(host: HostState): number {
    return Math.max(0, host.penalty - (now() - host.at));
  }

  function hostState(name: string): HostState {
    let host = hosts.get(name);
    if (!host) {
      if (hosts.size >= MAX_IDLE_HOSTS) {
        for (const [key, other] of hosts) {
          if (other.active === 0 && other.queue.length === 0 && penalty(other) === 0) hosts.delete(key);
        }
      }
      host = { active: 0, unproven: 0, queue: [], penalty: 0, at: now(), timer: undefined };
      hosts.set(name, host);
    }
    return host;
  }

  /** Time in ms until a credential not yet proven may be tried. */
  function delay(host: HostState): number {
    return penalty(host) + (host.unproven + 1) * limits.authFailureMs - limits.authFailureBudgetMs;
  }

  function admit(host: HostState): void {
    clearTimeout(host.timer);
    host.timer = undefined;
    while (host.active < limits.handshakesPerHost) {
      const free = host.unproven < limits.unprovenPerHost && (penalty(host) === 0 || delay(host) <= 0);
      const index = host.queue.findIndex((waiter) => waiter.proven || free);
      const [waiter] = index < 0 ? [] : host.queue.splice(index, 1);
      if (!waiter) break;
      host.active += 1;
      if (!waiter.proven) host.unproven += 1;
      waiter.start();
    }
    if (host.queue.length > 0 && host.active < limits.handshakesPerHost && penalty(host) > 0) {
      host.timer = setTimeout(() => admit(host), Math.max(1, delay(host)));
    }
  }

  return {
    enter(name, { proven, signal }) {
      const host = hostState(name);
      return new Promise((resolve, reject) => {
        function refuse(error: AppError): void {
          const index = host.queue.indexOf(waiter);
          if (index < 0) return;
          host.queue.splice(index, 1);
          clearTimeout(timer);
          signal?.removeEventListener('abort', abort);
          admit(host);
          reject(error);
        }
        const abort = () => refuse(new AppError('ssh_closed', { cause: 'aborted' }));
        let immediate = true;
        const waiter: Waiter = {
          proven,
          start: () => {
            clearTimeout(timer);
            signal?.removeEventListener('abort', abort);
            let left = false;
            const leave = (outcome: HandshakeOutcome, software: string) => {
              if (left) return;
              left = true;
              host.active -= 1;
              if (!proven) host.unproven -= 1;
              const before = penalty(host);
              host.penalty =
                before + (outcome === 'auth_failed' && keepsScore(software) ? limits.authFailureMs : 0);
              host.at = now();
              admit(host);
            };
            if (immediate) resolve(leave);
            else setTimeout(() => resolve(leave), Math.random() * JITTER_MS);
          },
        };
        if (signal?.aborted) return reject(new AppError('ssh_closed', { cause: 'aborted' }));
        if (host.queue.length >= limits.handshakeQueue) {
          return reject(new AppError('ssh_busy', { detail: 'too many logins wait for this host' }));
        }
        const timer = setTimeout(
          () => refuse(new AppError('ssh_busy', { detail: 'too many logins wait for this host' })),
          limits.handshakeWaitMs,
        );
        signal?.addEventListener('abort', abort, { once: true });
        host.queue.push(waiter);
        admit(host);
        immediate = false;
      });
    },
  };
}
