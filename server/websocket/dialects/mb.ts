import { randomUUID } from 'node:crypto';
import {
  formatMbHeader,
  MB_ERROR,
  MB_HEARTBEAT,
  MB_SUBSCRIBE,
  MB_TIMEOUT_MS,
  MB_UNSUBSCRIBE,
  MB_VERSION,
  type MbError,
  type MbHeader,
  mbSubscribeSchema,
  parseMbHeader,
  salvageMbHeader,
} from '../../../shared/mb.ts';
import { AppError, toAppError } from '../../core/errors.ts';
import { parseJson } from '../../core/json.ts';
import { createFrameCache, type FrameKind } from '../../core/websocket-frame.ts';
import type { DeliveredRequest, Requests, Responder } from '../../rooms/requests/types.ts';
import { isReserved } from '../../rooms/room-name.ts';
import type { Jwts } from '../../rooms/tokens/jwt.ts';
import { hasWildcard, isTopic, isTopicPattern } from '../../rooms/topics.ts';
import type { Grant, Hub, HubMessage, Member } from '../../rooms/types.ts';
import type { Connection, Dialect, DialectSession } from '../types.ts';
import { chooseProtocol, requestToken } from '../upgrade-request.ts';

const NAME = 'mb';
/** Topics and patterns that one connection may answer requests on; the hub bounds those whose messages it gets. */
const SERVED_MAX = 256;

/** A message taken apart: the payload as text and as what it says. */
interface Message {
  header: MbHeader;
  json: string;
  payload: unknown;
}

/** Where an error is told: as the answer to this message. */
interface About {
  topic: string;
  requestId: string;
}

const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

function readText(data: string | Buffer): string {
  if (typeof data === 'string') return data;
  try {
    return decoder.decode(data);
  } catch {
    throw new AppError('invalid_request', { detail: 'not UTF-8' });
  }
}

/** Takes a message apart. @throws AppError */
function read(header: string, json: string | null): Message {
  const parsed = parseMbHeader(header);
  if (!parsed.ok)
    throw new AppError('invalid_request', { detail: `${parsed.fault} is missing or malformed` });
  if (!isTopic(parsed.header.topic)) throw new AppError('invalid_room', { detail: 'topic' });
  if (json === null) throw new AppError('invalid_json', { detail: 'no payload behind the header line' });
  return { header: parsed.header, json, payload: parseJson(json) };
}

function encode({ room, json }: HubMessage): string {
  return `${formatMbHeader({ action: 'publish', topic: room, version: MB_VERSION })}\n${json}`;
}

/** The Message Broker on `/mb` and, as sub-protocol `mb`, on `/ws` [WS-4]. @param deps.jwts null: the dialect is off */
export function createMbDialect(deps: { hub: Hub; requests: Requests; jwts: Jwts | null }): Dialect {
  const { hub, requests, jwts } = deps;
  const frames = { text: createFrameCache(encode), binary: createFrameCache(encode, 'binary') };

  function open(connection: Connection, grant: Grant): DialectSession {
    /** By pattern: the end of what its subscription has going on. */
    const listening = new Map<string, () => void>();
    const serving = new Map<string, () => void>();
    /** What errors are about, from where they arise to where they are told. */
    const abouts = new WeakMap<AppError, About>();
    /** The kind of the client's last frame: it is spoken to as it speaks. */
    let kind: FrameKind = 'text';

    const send = (header: MbHeader, json: string, as = kind) =>
      connection.send(`${formatMbHeader(header)}\n${json}`, as);

    const member: Member = {
      id: connection.id,
      name: grant.from,
      echo: true,
      receive: (messages) => connection.sendFrames(frames[kind](messages)),
    };

    const responder: Responder = {
      id: connection.id,
      may: (topic) => grant.mayJoin(topic) && grant.mayPublish(topic),
      receive({ id, parentId, topic, json, timeoutMs }: DeliveredRequest) {
        const header = { action: 'request', topic, version: MB_VERSION, requestId: id } as const;
        send({ ...header, parentRequestId: parentId, timeout: timeoutMs }, json);
      },
    };

    function respond(to: About, json: string, as = kind, requestId: string = randomUUID()): void {
      const { topic, requestId: parentRequestId } = to;
      send({ action: 'response', topic, version: MB_VERSION, requestId, parentRequestId }, json, as);
    }

    function listen(pattern: string): void {
      if (listening.has(pattern)) return;
      if (hasWildcard(pattern)) {
        listening.set(pattern, hub.watch(pattern, member, { may: (room) => grant.mayJoin(room) }));
      } else {
        hub.join(pattern, member);
        listening.set(pattern, () => hub.leave(pattern, member));
      }
    }

    function serve(pattern: string): void {
      if (serving.has(pattern)) return;
      if (serving.size >= SERVED_MAX) throw new AppError('too_many_rooms');
      serving.set(pattern, requests.serve(pattern, responder));
    }

    function end(subscriptions: Map<string, () => void>, pattern: string): void {
      subscriptions.get(pattern)?.();
      subscriptions.delete(pattern);
    }

    function changeSubscription({ header, payload }: Message): void {
      const parsed = mbSubscribeSchema.safeParse(payload);
      if (!parsed.success) {
        const [issue] = parsed.error.issues;
        throw new AppError('invalid_request', { detail: `${issue?.path.join('.')}: ${issue?.message}` });
      }
      const { topic } = parsed.data;
      const action = parsed.data.action ?? 'both';
      if (!isTopicPattern(topic)) throw new AppError('invalid_room', { detail: 'topic' });
      if (header.topic === MB_UNSUBSCRIBE) {
        if (action !== 'request') end(listening, topic);
        if (action !== 'publish') end(serving, topic);
        return;
      }
      const isPattern = hasWildcard(topic);
      if (!isPattern && !grant.mayJoin(topic)) throw new AppError('forbidden', { detail: topic });
      // Those who only watch get messages; being asked for nothing is no reason to refuse them that.
      const mayServe = isPattern || responder.may(topic);
      if (action === 'request' && !mayServe) throw new AppError('forbidden', { detail: topic });
      const isNew = !listening.has(topic);
      if (action !== 'request') listen(topic);
      try {
        if (action !== 'publish' && mayServe) serve(topic);
      } catch (error) {
        if (isNew) end(listening, topic);
        throw error;
      }
    }

    /** Requests to the server itself. */
    function serveSystem(message: Message, to: About): void {
      switch (message.header.topic) {
        case MB_SUBSCRIBE:
        case MB_UNSUBSCRIBE:
          changeSubscription(message);
          connection.hold(hub.announced());
          break;
        case MB_HEARTBEAT:
          hub.flush();
          break;
        default:
          throw new AppError('not_found', { detail: message.header.topic });
      }
      respond(to, '{"status":"success"}');
    }

    async function ask({ header, json }: Message, as: FrameKind): Promise<void> {
      const {
        topic,
        requestId: id = '',
        parentRequestId: parentId,
        timeout: timeoutMs = MB_TIMEOUT_MS,
      } = header;
      const known = { origin: connection.id, id: id.toLowerCase(), parentId };
      const answer = await requests.request({ ...known, topic, json, timeoutMs });
      // Its id in its own spelling: clients look for the very text that they sent.
      if (answer) respond({ topic, requestId: id }, answer.json, as, answer.id);
    }

    /** @returns what is waited for; everything else is done at once, so that answers and errors keep their order */
    function handle(message: Message, as: FrameKind): Promise<void> | undefined {
      const { header, json, payload } = message;
      const { topic, requestId = '', parentRequestId = '' } = header;
      if (header.action === 'response') {
        requests.answer(connection.id, parentRequestId.toLowerCase(), { id: requestId, json });
        return undefined;
      }
      if (header.action === 'request' && isReserved(topic)) {
        serveSystem(message, { topic, requestId });
        return undefined;
      }
      if (!grant.mayPublish(topic)) throw new AppError('forbidden', { detail: topic });
      if (header.action === 'publish') {
        hub.publish(topic, { from: grant.from, data: payload, kind: 'client', origin: member.id });
        return undefined;
      }
      // What the client published before its request arrives before it.
      hub.flush();
      return ask(message, as);
    }

    connection.expireAt(grant.expiresAt);

    return {
      message(data) {
        kind = typeof data === 'string' ? 'text' : 'binary';
        let about: About | null = null;
        const tell = (error: unknown): never => {
          const failure = toAppError(error);
          if (about) abouts.set(failure, about);
          throw failure;
        };
        try {
          const text = readText(data);
          const line = text.indexOf('\n');
          const header = line < 0 ? text : text.slice(0, line);
          about = salvageMbHeader(header);
          return handle(read(header, line < 0 ? null : text.slice(line + 1)), kind)?.catch(tell);
        } catch (error) {
          return tell(error);
        }
      },
      fail(error) {
        const { code, message, retryable, hint } = error.toPayload();
        const timestamp = new Date().toISOString();
        const json = JSON.stringify({
          code,
          message,
          timestamp,
          details: { retryable, hint },
        } satisfies MbError);
        const about = abouts.get(error);
        if (about) respond(about, json);
        else send({ action: 'publish', topic: MB_ERROR, version: MB_VERSION }, json);
      },
      close() {
        for (const ending of serving.values()) ending();
        requests.leave(connection.id);
        hub.leaveAll(member);
      },
    };
  }

  return {
    name: NAME,
    off: jwts ? undefined : 'JWT_SECRET is not set',
    matches: ({ path, protocols }) => path === '/mb' || (path === '/ws' && protocols.includes(NAME)),
    async admit(request) {
      const token = requestToken(request);
      if (!token) return { refuse: 'not_authenticated' };
      const grant = await jwts?.verify(token).catch(() => null);
      if (!grant) return { refuse: 'invalid_token', status: 403 };
      return { protocol: chooseProtocol(request, NAME), open: (connection) => open(connection, grant) };
    },
  };
}
