import type { IncomingHttpHeaders } from 'node:http';
import type { RoomClaims } from '../tokens/room-token.ts';

/** A client of a room, as its handler sees it. Every method is harmless once it has gone. */
export interface RoomSocket {
  /** Of the connection; unique in the cluster. */
  readonly id: string;
  /** Of the token; made up in rooms that need none. */
  readonly clientId: string;
  readonly room: string;
  readonly address: string;
  /** Of the token. */
  readonly metadata: Readonly<Record<string, unknown>>;
  /** True on the control channel. */
  readonly isControl: boolean;
  readonly isOpen: boolean;
  /** Sends one message: text as it is, anything else as JSON. */
  send(message: unknown): void;
  /** @param code 4000 to 4999; 1000 unless told */
  close(code?: number, reason?: string): void;
}

/** The request that a client came with. Headers and query may hold its token: they are not for logs. */
export interface RoomRequest {
  /** Without query. */
  readonly path: string;
  readonly query: URLSearchParams;
  readonly headers: IncomingHttpHeaders;
}

/** The claims of a token that was checked; null where the room needs none and none came. */
export type AuthPayload = RoomClaims | null;

/** A message as its sender wrote it: a JSON object. */
export type RoomPayload = Record<string, unknown>;

/** Why a client may not come in; `code` 4004 unless told. */
export interface AuthRejection {
  reject: boolean;
  code?: number;
  reason?: string;
}

/** What is wrong with a message: text for its sender, and a code of the handler's choice (an HTTP status for pushes). */
export interface PayloadRejection {
  error: string;
  code?: string | number;
}

/** A message on its way to the room. */
export interface BroadcastContext {
  readonly room: string;
  readonly payload: RoomPayload;
  /** `client`: over a connection; `server`: over HTTP. */
  readonly source: 'client' | 'server';
  /** Of the sender's token. */
  readonly metadata: Readonly<Record<string, unknown>>;
}

/** A message that has gone to the room. */
export interface ControlContext {
  readonly room: string;
  readonly id: string;
  readonly from: string;
  /** Epoch ms. */
  readonly timestamp: number;
  /** What members got as `content`. */
  readonly content: unknown;
  /** Length of the content as JSON, in characters. */
  readonly size: number;
}

/** A message that the room's history holds. */
export interface PastMessage {
  readonly id: string;
  readonly from: string;
  /** Epoch ms. */
  readonly timestamp: number;
  readonly content: unknown;
}

export interface RoomRouteRequest {
  readonly query: Readonly<Record<string, unknown>>;
  readonly headers: IncomingHttpHeaders;
  /** Parsed JSON; undefined without a body. */
  readonly body: unknown;
  readonly clientAddress: string;
  /** Claims of the room token; null on open routes. */
  readonly auth: AuthPayload;
}

export interface RoomRouteAnswer {
  /** 200 unless told. */
  status?: number;
  /** Anything JSON can carry. */
  body?: unknown;
}

/** An HTTP route of a room: `/rooms/ROOM` and `/ROOM` with `path` behind. */
export interface RoomRoute {
  method: 'GET' | 'POST' | 'DELETE';
  /** `/` and segments of letters, digits, `.`, `_`, `~` and `-`; matched as it stands. */
  path: string;
  /** True: no token is asked for. Without it the route needs a token of the room. */
  open?: boolean;
  handler(request: RoomRouteRequest): RoomRouteAnswer | Promise<RoomRouteAnswer>;
}

type MaybePromise<T> = T | Promise<T>;

/**
 * What makes a room its own. Each hook may be left out, may be asynchronous, and has `HOOK_MS` to end; what it throws
 * is logged and ends what it was called for, nothing else.
 */
export interface RoomHandler {
  readonly roomName: string;
  /** Whether clients need a token of this room. Control channels and pushes over HTTP always do. */
  readonly requiresAuth: boolean;
  /** Ms between a message and its delivery, where `getBroadcastDelay` does not say otherwise. */
  readonly broadcastDelay: number;
  /** The `type` of the frames that members get. */
  readonly messageType: string;
  /** Messages that the room keeps for those who come later, at most 1000; 0: none. */
  readonly historyLength: number;

  /** Decides who comes in, on top of the token. Only `true` and an object with `reject: false` let in. */
  verifyAuth(auth: AuthPayload, request: RoomRequest, clientAddress: string): MaybePromise<unknown>;
  /** A client has connected and joins when this ends; `false` rejects it. */
  onJoin(
    socket: RoomSocket,
    request: RoomRequest,
    clientAddress: string,
    auth: AuthPayload,
  ): MaybePromise<unknown>;
  /** A client that had joined has gone; code and reason of the close frame. */
  onLeave(socket: RoomSocket, clientAddress: string, code: number, reason: string): MaybePromise<unknown>;
  onControlJoin(socket: RoomSocket, request: RoomRequest, clientAddress: string): MaybePromise<unknown>;
  onControlLeave(
    socket: RoomSocket,
    clientAddress: string,
    code: number,
    reason: string,
  ): MaybePromise<unknown>;
  /** A message of a client: nothing or null keeps it, an object replaces it, `false` drops it. */
  onMessage(payload: RoomPayload, socket: RoomSocket, clientAddress: string): MaybePromise<unknown>;
  /** A push over HTTP: as `onMessage`; `false` is answered with 403. */
  onHttpPost(payload: RoomPayload): MaybePromise<unknown>;
  /** Before `onMessage`: `{error, code?}` refuses the message. */
  validateMessage(payload: RoomPayload, socket: RoomSocket): MaybePromise<unknown>;
  /** Before `onHttpPost`: `{error, code?}` refuses the push; a code from 400 to 499 is the answer's status. */
  validateHttpPost(payload: RoomPayload): MaybePromise<unknown>;
  /** The first message to a client; null: none. */
  getWelcomeMessage(socket: RoomSocket, context: { history: readonly PastMessage[] }): MaybePromise<unknown>;
  /** What `/health` says of the room on this instance. It is public. */
  getRoomStats(clients: readonly RoomSocket[]): MaybePromise<unknown>;
  /** Every HEARTBEAT_INTERVAL. */
  onHeartbeat(): MaybePromise<unknown>;
  /** HTTP routes under the room's path; asked for once. */
  getRoutes(): readonly RoomRoute[];
  /** What control clients get for a message; null: nothing. */
  getControlPayload(context: ControlContext): MaybePromise<unknown>;
  /** Ms between this message and its delivery. */
  getBroadcastDelay(context: BroadcastContext): MaybePromise<number>;
}

export type HookName = {
  [K in keyof RoomHandler]: RoomHandler[K] extends (...args: never[]) => unknown ? K : never;
}[keyof RoomHandler];
