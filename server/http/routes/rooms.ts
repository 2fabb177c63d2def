import { json, type Request, type RequestHandler, type Response, Router } from 'express';
import {
  ROOM_TOKEN_DEFAULT_S,
  type RoomPostAnswer,
  type RoomTokenAnswer,
  roomTokenSchema,
} from '../../../shared/echo.ts';
import { MAX_TOKEN } from '../../../shared/events.ts';
import { clientAddress } from '../../core/client-address.ts';
import { AppError } from '../../core/errors.ts';
import { RoomRefusal } from '../../rooms/handlers/hooks.ts';
import type { RoomPayload, RoomRequest } from '../../rooms/handlers/types.ts';
import { isReservedPath } from '../../rooms/reserved-names.ts';
import { checkRoomName } from '../../rooms/room-name.ts';
import { bearerToken, isSecret } from '../bearer.ts';
import { sendError } from '../errors.ts';
import { loginGuard } from '../guards.ts';
import type { HttpDeps, HttpRooms } from '../types.ts';
import { parseInput } from '../validation.ts';
import { roomHandlerRoutes } from './room-handlers.ts';

/** Largest body of a request for a token, in bytes: its metadata ends up in a token of at most 4096 characters. */
const TOKEN_BODY_MAX = 8 * 1024;
/** Bodies are JSON whatever the sender calls them: the documents ask for no `Content-Type`, and without one curl says form. */
const ANY_TYPE = { type: () => true };
/** Longest name of a push, in characters. */
const NONCE_MAX = 200;
/** Below it a number is epoch seconds, not milliseconds: the year 5138. */
const SECONDS_MAX = 1e11;

/** The bearer token of a request. @throws AppError not_authenticated */
export function requireBearer(req: Request, res: Response): string {
  const token = bearerToken(req.headers.authorization);
  if (token !== null) return token;
  res.set('WWW-Authenticate', 'Bearer');
  throw new AppError('not_authenticated');
}

export function roomRequest(req: Request): RoomRequest {
  const query = new URLSearchParams(/\?.*/s.exec(req.originalUrl)?.[0] ?? '');
  return { path: req.path, query, headers: req.headers };
}

function isRecord(value: unknown): value is RoomPayload {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** Epoch ms of a time as senders write it: epoch seconds or milliseconds, ISO 8601. @throws AppError invalid_request */
function instantOf(value: unknown): number {
  const text = typeof value === 'number' ? String(value) : value;
  if (typeof text === 'string') {
    const number = /^\d+(\.\d+)?$/.test(text) ? Number(text) : Number.NaN;
    const at = Number.isNaN(number) ? Date.parse(text) : number < SECONDS_MAX ? number * 1000 : number;
    if (!Number.isNaN(at)) return at;
  }
  throw new AppError('invalid_request', { detail: 'timestamp: neither epoch time nor ISO 8601' });
}

/**
 * What names a push, so that a repetition is told from a new one: `Idempotency-Key` with `X-Timestamp`, or `nonce` with
 * `timestamp` in the body. @throws AppError invalid_request
 */
function identityOf(req: Request, payload: RoomPayload): { nonce?: string; sentAt?: number } {
  const header = req.get('idempotency-key');
  const given = header ?? payload.nonce;
  if (given === undefined || given === null) {
    const sentAt = req.get('x-timestamp');
    return sentAt === undefined ? {} : { sentAt: instantOf(sentAt) };
  }
  const nonce = typeof given === 'number' ? String(given) : given;
  if (typeof nonce !== 'string' || nonce === '' || nonce.length > NONCE_MAX) {
    throw new AppError('invalid_request', { detail: `nonce: 1 to ${NONCE_MAX} characters` });
  }
  const time = req.get('x-timestamp') ?? (header === undefined ? payload.timestamp : undefined);
  return { nonce, ...(time === undefined ? {} : { sentAt: instantOf(time) }) };
}

/** Tokens and pushes of rooms, and the routes that their handlers have [WS-2]. */
export function roomRoutes(deps: HttpDeps): Router {
  const router = Router();
  if (deps.rooms === null) return router;
  const rooms: HttpRooms = deps.rooms;

  router.post('/auth/token', loginGuard(deps), json({ limit: TOKEN_BODY_MAX, ...ANY_TYPE }), (req, res) => {
    if (rooms.issuerKey === undefined) throw new AppError('not_found');
    if (!isSecret(requireBearer(req, res), rooms.issuerKey)) throw new AppError('invalid_token');
    const { clientId, room, expiresIn, scope, metadata } = parseInput(roomTokenSchema, req.body);
    const answer: RoomTokenAnswer = rooms.tokens.issue({
      clientId,
      room: checkRoomName(room),
      expiresInS: expiresIn ?? ROOM_TOKEN_DEFAULT_S,
      ...(scope ? { scope } : {}),
      ...(metadata ? { metadata } : {}),
    });
    if (answer.token.length > MAX_TOKEN)
      throw new AppError('invalid_request', { detail: 'metadata: too long' });
    res.set('Cache-Control', 'no-store').json(answer);
  });

  /** Before the body is read: only who may push has the server parse something. */
  const mayPost: RequestHandler<{ room: string }> = async (req, res, next) => {
    const token = requireBearer(req, res);
    await rooms.postLimit.use(clientAddress(req, deps.trust));
    rooms.host.authorize(checkRoomName(req.params.room), token);
    next();
  };

  const post: RequestHandler<{ room: string }> = async (req, res) => {
    const payload: unknown = req.body;
    if (!isRecord(payload)) {
      throw new AppError('invalid_request', { detail: 'send a JSON object' });
    }
    try {
      const { clientCount, delayMs, duplicate } = await rooms.host.post({
        room: req.params.room,
        token: requireBearer(req, res),
        payload,
        address: clientAddress(req, deps.trust),
        request: roomRequest(req),
        ...identityOf(req, payload),
      });
      const answer: RoomPostAnswer = {
        success: true,
        clientCount,
        ...(delayMs > 0 ? { delayMs } : {}),
        ...(duplicate ? { duplicate } : {}),
      };
      res.set('Cache-Control', 'no-store').json(answer);
    } catch (error) {
      if (!(error instanceof RoomRefusal)) throw error;
      const { handlerCode } = error;
      const isStatus = typeof handlerCode === 'number' && handlerCode >= 400 && handlerCode <= 499;
      sendError(res, error, { message: error.text, ...(isStatus ? { status: handlerCode } : {}) });
    }
  };

  const body = json({ limit: rooms.maxPayloadBytes, ...ANY_TYPE });
  router.post('/rooms/:room/post', mayPost, body, post);
  router.post('/:room/postcontent', notReserved, mayPost, body, post);
  router.use(roomHandlerRoutes(deps, rooms));
  return router;
}

/** Leaves addresses that belong to something else to it. */
const notReserved: RequestHandler<{ room: string }> = (req, _res, next) => {
  next(isReservedPath(req.params.room) ? 'route' : undefined);
};
