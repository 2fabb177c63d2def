import { createHash } from 'node:crypto';
import { AppError } from '../core/errors.ts';
import type { RoomHooks } from './handlers/hooks.ts';
import type { RoomPayload, RoomRequest } from './handlers/types.ts';
import { REMEMBER_MS, type ReplayGuard } from './replay-guard.ts';
import type { RoomCore, Sender } from './room-core.ts';
import { checkRoomName, isReserved } from './room-name.ts';
import { CONTROL_SCOPE, type RoomClaims, type RoomTokens } from './tokens/room-token.ts';

/** How far the timestamp of a push may be off, in ms; below what the guard remembers. */
const CLOCK_MS = REMEMBER_MS / 2;

export interface PostRequest {
  room: string;
  token: string;
  payload: RoomPayload;
  address: string;
  request: RoomRequest;
  /** Names this push: another one of the same name by the same sender is not delivered. */
  nonce?: string | undefined;
  /** When it was sent, epoch ms: too long ago or ahead, and it is refused. */
  sentAt?: number | undefined;
}

export interface PostResult {
  /** Members of the room in the cluster. */
  clientCount: number;
  delayMs: number;
  duplicate: boolean;
}

/** Pushes over HTTP [WS-2]. */
export interface PostDesk {
  /** The claims of a token of this room that is not for its control channel. @throws AppError invalid_token, forbidden */
  authorize(room: string, token: string): RoomClaims;
  /**
   * Has the room's handler look at a push and publishes it, from `server`.
   * @throws AppError invalid_room, invalid_token, forbidden (no right, or dropped by the handler), invalid_request (stale
   * timestamp), RoomRefusal, rate_limited, payload_too_large, store_unavailable (the guard is away)
   */
  post(request: PostRequest): Promise<PostResult>;
}

export function createPostDesk(deps: {
  core: RoomCore;
  tokens: RoomTokens;
  replays: ReplayGuard;
  hooksOf(room: string): RoomHooks;
}): PostDesk {
  const { core, tokens, replays } = deps;

  function authorize(room: string, token: string): RoomClaims {
    const claims = tokens.verify(token);
    if (claims.room !== room || claims.scope === CONTROL_SCOPE) throw new AppError('forbidden');
    return claims;
  }

  async function deliver(hooks: RoomHooks, claims: RoomClaims, { payload }: PostRequest): Promise<number> {
    const { clientId: owner, metadata = {} } = claims;
    const sender: Sender = { source: 'server', from: 'server', owner, metadata };
    const done = await hooks.post(payload);
    if (!done) throw new AppError('forbidden', { detail: 'refused by the room' });
    const prepared = await core.prepare(hooks, done, sender);
    core.publish(hooks, payload, prepared, sender);
    return prepared.delayMs;
  }

  async function post(request: PostRequest): Promise<PostResult> {
    const room = checkRoomName(request.room);
    const { sentAt, nonce } = request;
    const claims = authorize(room, request.token);
    if (isReserved(room))
      throw new AppError('forbidden', { detail: 'system.* is published by the server only' });
    if (sentAt !== undefined && !(Math.abs(Date.now() - sentAt) <= CLOCK_MS)) {
      throw new AppError('invalid_request', { detail: 'timestamp: too far from now' });
    }
    const hooks = deps.hooksOf(room);
    const rejection = await hooks.verifyAuth(claims, request.request, request.address);
    if (rejection) throw new AppError('forbidden', rejection.reason ? { detail: rejection.reason } : {});

    const id =
      nonce === undefined
        ? null
        : createHash('sha256')
            .update(JSON.stringify([claims.clientId, nonce]))
            .digest('hex');
    const isNew = id === null || (await replays.claim(room, id));
    let delayMs = 0;
    if (isNew) {
      try {
        delayMs = await deliver(hooks, claims, request);
      } catch (error) {
        if (id !== null) await replays.release(room, id);
        throw error;
      }
    }
    const { count } = await core.hub.presence(room);
    return { clientCount: count, delayMs, duplicate: !isNew };
  }

  return { authorize, post: (request) => core.during(post(request)) };
}
