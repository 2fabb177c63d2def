import { AppError } from '../../core/errors.ts';
import { runForeign } from '../../core/foreign-code.ts';
import type { Logger } from '../../core/types.ts';
import { BaseRoomHandler } from './base-room-handler.ts';
import type {
  AuthPayload,
  BroadcastContext,
  ControlContext,
  HookName,
  PastMessage,
  RoomHandler,
  RoomPayload,
  RoomRequest,
  RoomRoute,
  RoomSocket,
} from './types.ts';

/** Longest that one hook may take, in ms: beyond it what it was called for goes on without it, or ends. */
export const HOOK_MS = 2000;
/** Longest broadcast delay, in ms. */
export const DELAY_MAX_MS = 600_000;
/** Longest error text of a handler that is passed on, in characters. */
const TEXT_MAX = 500;
/** Close code of a client that the room does not let in [WS-2]. */
const REJECTED = 4004;
/** Close code where the handler failed: nobody comes in by a handler's error (RFC 6455 section 7.4.1). */
const FAILED = 1011;

/** Anything a user module may export as a handler: every part may be missing. */
export type AnyHandler = Partial<RoomHandler>;

/** A refusal in the words of a room's handler. */
export class RoomRefusal extends AppError {
  readonly text: string;
  readonly handlerCode: string | number | undefined;

  constructor(text: string, handlerCode: string | number | undefined) {
    super('invalid_request', { detail: text });
    this.text = text;
    this.handlerCode = handlerCode;
  }
}

export interface Rejection {
  code: number;
  reason: string | undefined;
}

/** A handler with its rules applied and its failures contained. */
export interface RoomHooks {
  readonly room: string;
  readonly requiresAuth: boolean;
  readonly messageType: string;
  readonly historyLength: number;
  /** @returns null: may come in */
  verifyAuth(auth: AuthPayload, request: RoomRequest, address: string): Promise<Rejection | null>;
  join(socket: RoomSocket, request: RoomRequest, auth: AuthPayload): Promise<Rejection | null>;
  left(socket: RoomSocket, code: number, reason: string): void;
  /** @returns the message to publish, or null where the handler dropped it @throws RoomRefusal, AppError internal */
  message(payload: RoomPayload, socket: RoomSocket): Promise<Processed | null>;
  /** As `message`. */
  post(payload: RoomPayload): Promise<Processed | null>;
  /** @returns null: none */
  welcome(socket: RoomSocket, history: readonly PastMessage[]): Promise<unknown>;
  stats(clients: readonly RoomSocket[]): Promise<unknown>;
  heartbeat(): void;
  routes(): readonly RoomRoute[];
  /** @returns null: nothing for control clients */
  controlPayload(context: ControlContext): Promise<unknown>;
  /** Ms, 0 to DELAY_MAX_MS. */
  delay(context: BroadcastContext): Promise<number>;
}

export interface Processed {
  payload: RoomPayload;
  /** Whether the handler wrote it. */
  replaced: boolean;
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function textOf(value: unknown): string | undefined {
  return typeof value === 'string' && value !== '' ? value.slice(0, TEXT_MAX) : undefined;
}

/** Puts a time limit on work. @throws AppError internal, after `ms` */
export async function within<T>(work: T | Promise<T>, ms: number, what: string): Promise<T> {
  if (!(work instanceof Promise)) return work;
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_resolve, reject) => {
    timer = setTimeout(
      () => reject(new AppError('internal', { cause: new Error(`${what} took over ${ms} ms`) })),
      ms,
    );
  });
  try {
    return await Promise.race([work, late]);
  } finally {
    clearTimeout(timer);
  }
}

/**
 * Wraps a handler. What it leaves out is as in `BaseRoomHandler`.
 * @param deps.foreign it is the user's: what goes wrong behind the back of its hooks must not end the process either
 */
export function createHooks(
  handler: AnyHandler,
  deps: { room: string; logger: Logger; foreign?: boolean; hookMs?: number },
): RoomHooks {
  const { room, logger, foreign = false, hookMs = HOOK_MS } = deps;
  const base = new BaseRoomHandler(room);
  const run = <T>(work: () => T): T => (foreign ? runForeign(room, work) : work());

  function failed(hook: string, error: unknown): void {
    const cause = error instanceof AppError && error.code === 'internal' ? (error.cause ?? error) : error;
    logger.error('room handler failed', {
      room,
      hook,
      error: cause instanceof Error ? cause : String(cause),
    });
  }

  /** Calls a hook of the handler, or of the base where it has none. @throws AppError internal for whatever it throws */
  async function call<H extends HookName>(hook: H, ...args: Parameters<RoomHandler[H]>): Promise<unknown> {
    const owner = typeof handler[hook] === 'function' ? handler : base;
    const method = owner[hook] as ((...args: unknown[]) => unknown) | undefined;
    try {
      const work: unknown = run(() => method?.apply(owner, args));
      // A thenable of another realm or library counts as a promise, too.
      const isLate = typeof work === 'object' && work !== null && 'then' in work;
      return await within(isLate ? Promise.resolve(work) : work, hookMs, hook);
    } catch (error) {
      failed(hook, error);
      throw new AppError('internal', { cause: error });
    }
  }

  /** As `call`, with a value for the case that it fails. */
  const attempt = async <H extends HookName, F>(
    fallback: F,
    hook: H,
    ...args: Parameters<RoomHandler[H]>
  ): Promise<unknown | F> => call(hook, ...args).catch(() => fallback);

  function refuseIfInvalid(verdict: unknown): void {
    if (verdict === false) throw new AppError('invalid_request', { detail: 'refused by the room' });
    if (!isRecord(verdict) || !verdict.error) return;
    const { code } = verdict;
    throw new RoomRefusal(
      textOf(verdict.error) ?? 'refused by the room',
      typeof code === 'number' || typeof code === 'string' ? code : undefined,
    );
  }

  function processed(payload: RoomPayload, result: unknown): Processed | null {
    if (result === false) return null;
    return isRecord(result) ? { payload: result, replaced: true } : { payload, replaced: false };
  }

  const property = <T>(value: unknown, isValid: (value: unknown) => value is T, fallback: T): T =>
    isValid(value) ? value : fallback;
  const isCount = (value: unknown): value is number => Number.isInteger(value) && Number(value) >= 0;
  const fixedDelay = () => toDelay(handler.broadcastDelay) ?? 0;

  return {
    room,
    requiresAuth: handler.requiresAuth !== false,
    messageType: property(
      handler.messageType,
      (value): value is string => typeof value === 'string' && value !== '',
      base.messageType,
    ),
    historyLength: property(handler.historyLength, isCount, base.historyLength),

    async verifyAuth(auth, request, address) {
      try {
        const verdict = await call('verifyAuth', auth, request, address);
        if (verdict === true) return null;
        if (!isRecord(verdict)) return { code: REJECTED, reason: undefined };
        return verdict.reject === false
          ? null
          : { code: closeCode(verdict.code), reason: textOf(verdict.reason) };
      } catch {
        return { code: FAILED, reason: undefined };
      }
    },
    async join(socket, request, auth) {
      try {
        const verdict = socket.isControl
          ? await call('onControlJoin', socket, request, socket.address)
          : await call('onJoin', socket, request, socket.address, auth);
        return verdict === false ? { code: REJECTED, reason: undefined } : null;
      } catch {
        return { code: FAILED, reason: undefined };
      }
    },
    left(socket, code, reason) {
      void attempt(
        null,
        socket.isControl ? 'onControlLeave' : 'onLeave',
        socket,
        socket.address,
        code,
        reason,
      );
    },
    async message(payload, socket) {
      refuseIfInvalid(await call('validateMessage', payload, socket));
      return processed(payload, await call('onMessage', payload, socket, socket.address));
    },
    async post(payload) {
      refuseIfInvalid(await call('validateHttpPost', payload));
      return processed(payload, await call('onHttpPost', payload));
    },
    welcome: (socket, history) => attempt(null, 'getWelcomeMessage', socket, { history }),
    async stats(clients) {
      const value = await attempt(null, 'getRoomStats', clients);
      try {
        // What is no JSON would break the whole of /health.
        return JSON.parse(JSON.stringify(value) ?? 'null') as unknown;
      } catch (error) {
        failed('getRoomStats', error);
        return null;
      }
    },
    heartbeat: () => void attempt(null, 'onHeartbeat'),
    routes() {
      try {
        const routes: unknown = run(() => handler.getRoutes?.()) ?? base.getRoutes();
        if (!Array.isArray(routes)) throw new Error('not an array');
        return (routes as RoomRoute[]).map((route) =>
          typeof route?.handler === 'function'
            ? { ...route, handler: (request) => run(() => route.handler(request)) }
            : route,
        );
      } catch (error) {
        failed('getRoutes', error);
        return [];
      }
    },
    controlPayload: (context) => attempt(null, 'getControlPayload', context),
    delay: async (context) =>
      handler.getBroadcastDelay
        ? (toDelay(await attempt(null, 'getBroadcastDelay', context)) ?? fixedDelay())
        : fixedDelay(),
  };
}

/** A delay in ms within its bounds; undefined for what is no number. */
function toDelay(value: unknown): number | undefined {
  return typeof value === 'number' && !Number.isNaN(value)
    ? Math.min(Math.max(value, 0), DELAY_MAX_MS)
    : undefined;
}

/** A code of an application (RFC 6455 section 7.4.2), or that of a rejection. */
export function closeCode(value: unknown): number {
  return Number.isInteger(value) && Number(value) >= 4000 && Number(value) <= 4999 ? Number(value) : REJECTED;
}
