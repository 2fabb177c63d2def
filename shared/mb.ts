import { z } from 'zod';

/**
 * The Message Broker protocol on `/mb` [WS-4]. A message is one text or binary frame: a header line, a line feed, and a
 * JSON payload. The header is `action:topic:version[:requestId[:parentRequestId[:timeout]]]`.
 */

export const MB_ACTIONS = ['publish', 'request', 'response'] as const;
export type MbAction = (typeof MB_ACTIONS)[number];

/** Version of the messages that the server sends. */
export const MB_VERSION = '1.0.0';
/** Time for the answer to a request where its header gives none, in ms; and the longest one. */
export const MB_TIMEOUT_MS = 5000;
export const MB_TIMEOUT_MAX_MS = 300_000;
/** Longest header line, in characters: a topic of 200, escaped, and three ids. */
export const MB_HEADER_MAX = 1024;

export interface MbHeader {
  action: MbAction;
  topic: string;
  version: string;
  /** UUID of this message; needed in requests and responses. */
  requestId?: string | undefined;
  /** In a response: the `requestId` of the request that it answers. */
  parentRequestId?: string | undefined;
  /** Ms that a request may take. */
  timeout?: number | undefined;
}

const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/i;
/** Semantic Versioning 2.0.0 with bounded parts. */
const VERSION =
  /^(?:0|[1-9]\d{0,8})\.(?:0|[1-9]\d{0,8})\.(?:0|[1-9]\d{0,8})(?:-[0-9A-Za-z.-]{1,64})?(?:\+[0-9A-Za-z.-]{1,64})?$/;
const TIMEOUT = /^[1-9]\d{0,6}$/;

const isUuid = (text: string | undefined): text is string => text !== undefined && UUID.test(text);

/** The colon separates fields, but rooms of other protocols may have one in their names: there it is written `%3A`. */
const escapeTopic = (topic: string): string =>
  topic.replace(/:|%(?=3a|25)/gi, (char) => (char === ':' ? '%3A' : '%25'));
const unescapeTopic = (text: string): string =>
  text.replace(/%(3a|25)/gi, (_all, code: string) => (code === '25' ? '%' : ':'));

/** Why a header cannot be read: the name of the first field that is wrong. */
export type MbHeaderFault =
  | 'header'
  | 'action'
  | 'topic'
  | 'version'
  | 'requestId'
  | 'parentRequestId'
  | 'timeout';

/**
 * Reads a header line. Ids come back as they were written; in either case they are the same (RFC 9562 section 4). A fifth and last field of digits is taken as the
 * time-out, for clients that leave the parent out.
 */
export function parseMbHeader(
  line: string,
): { ok: true; header: MbHeader } | { ok: false; fault: MbHeaderFault } {
  const no = (fault: MbHeaderFault) => ({ ok: false, fault }) as const;
  const fields = line.length > MB_HEADER_MAX ? [] : line.split(':');
  if (fields.length < 3 || fields.length > 6) return no('header');
  const [action, topic = '', version = '', id = '', ...rest] = fields;
  const [parent = '', time = ''] = rest.length === 1 && TIMEOUT.test(rest[0] ?? '') ? ['', rest[0]] : rest;
  const known = MB_ACTIONS.find((one) => one === action);
  if (!known) return no('action');
  if (topic === '') return no('topic');
  if (!VERSION.test(version)) return no('version');
  if (id === '' ? known !== 'publish' : !isUuid(id)) return no('requestId');
  if (parent === '' ? known === 'response' : !isUuid(parent)) return no('parentRequestId');
  if (time !== '' && !(TIMEOUT.test(time) && Number(time) <= MB_TIMEOUT_MAX_MS)) return no('timeout');
  return {
    ok: true,
    header: {
      action: known,
      topic: unescapeTopic(topic),
      version,
      ...(id === '' ? {} : { requestId: id }),
      ...(parent === '' ? {} : { parentRequestId: parent }),
      ...(time === '' ? {} : { timeout: Number(time) }),
    },
  };
}

/** The id of a message whose header is otherwise wrong, and its topic: so that the error can be told as its answer. */
export function salvageMbHeader(line: string): { requestId: string; topic: string } | null {
  const [, topic = '', , requestId] = line.slice(0, MB_HEADER_MAX).split(':', 4);
  if (!isUuid(requestId)) return null;
  return { requestId, topic: unescapeTopic(topic) || MB_ERROR };
}

/** The header line of a message, without the line feed. */
export function formatMbHeader(header: MbHeader): string {
  const { action, topic, version, requestId = '', parentRequestId = '', timeout = '' } = header;
  const line = [action, escapeTopic(topic), version, requestId, parentRequestId, timeout].join(':');
  return line.replace(/:+$/, '');
}

export const MB_SUBSCRIBE = 'system.topic.subscribe';
export const MB_UNSUBSCRIBE = 'system.topic.unsubscribe';
export const MB_HEARTBEAT = 'system.heartbeat';
/** Topic of errors that belong to no request. */
export const MB_ERROR = 'system.error';

/** Payload of `system.topic.subscribe` and `system.topic.unsubscribe`. */
export const mbSubscribeSchema = z.object({
  topic: z.string(),
  /** What of the topic is meant: its messages, its requests, or both. */
  action: z.enum(['publish', 'request', 'both']).default('both').nullable(),
});
export type MbSubscribe = z.input<typeof mbSubscribeSchema>;

/** Payload of an error. */
export interface MbError {
  code: string;
  message: string;
  /** ISO 8601 UTC. */
  timestamp: string;
  details?: Record<string, unknown>;
}
