import { createHash } from 'node:crypto';

/**
 * Every key and channel name that Tailwire uses in Redis. Parts that come from outside are encoded, so that no text of a
 * user can reach another key, and bounded, so that it cannot make a huge one.
 */

const PREFIX = 'tailwire';
/** Longest part that is written out, in characters; what is longer is replaced by its hash. Host names end at 253. */
const MAX_PART = 512;

/**
 * Letters, digits, `.`, `_` and `-` stay; everything else, `:` `{` `*` `%` included, becomes its %XX bytes. By way of a
 * buffer, because encodeURIComponent throws at half a surrogate pair.
 */
export function keyPart(text: string): string {
  const encoded = encodeURIComponent(Buffer.from(text).toString()).replace(
    /[!'()*~]/g,
    (char) => `%${char.charCodeAt(0).toString(16).toUpperCase()}`,
  );
  return encoded.length <= MAX_PART ? encoded : `%h${createHash('sha256').update(text).digest('hex')}`;
}

function key(...parts: readonly (string | number)[]): string {
  return [PREFIX, ...parts.map((part) => keyPart(String(part)))].join(':');
}

export const keys = {
  /** A session as an original Next.js app writes it. Only for text that `isToken` lets through. */
  plainSession: (token: string) => `ssh_session:${token}`,
  /** A sealed session; `id` is the SHA-256 of its token in hex. Not under `ssh_session:*`, which the originals sweep. */
  session: (id: string) => key('session', id),
  /** Stands where a session was ended, so that nothing puts it back. */
  sessionEnded: (id: string) => key('session-ended', id),
  /** Beside a plain session: when Tailwire saw it first. */
  sessionSeen: (id: string) => key('session-seen', id),
  /** Whether a session's credential has been proven by a login. */
  sessionProof: (id: string) => key('session-proof', id),
  /** The pinned host key. */
  hostKey: (host: string, port: number) => key('host-key', host, port),
  /** Failed logins; `about` is one of address, user, host, known. */
  loginLimit: (about: string, whom: string) => key('login', about, whom),
  /** A stream's entries, its head beside them, both by the stream's name. */
  stream: (name: string) => key('stream', name),
  streamHead: (name: string) => key('stream-head', name),
  /** A lease's holder, and the counter its fences come from. */
  lease: (name: string) => key('lease', name),
  leaseFence: (name: string) => key('lease-fence', name),
  /** The shared status of a host. */
  status: (name: string) => key('status', name),
  /** What the instances want to know about a host, by instance. */
  statusWishes: (name: string) => key('status-wishes', name),
  /** Who is in a room, by instance. */
  roomPresence: (room: string) => key('room-presence', room),
  /** A room's newest messages, and how many bytes they are. */
  roomHistory: (room: string) => key('room-history', room),
  roomHistoryBytes: (room: string) => key('room-history-bytes', room),
  /** A push over HTTP that named itself, so that it is not delivered twice. */
  roomPush: (room: string, id: string) => key('room-push', room, id),
  /** Request limits of the HTTP routes (server/http/rate-limit.ts). */
  rateLimit: (about: string) => key('rate', about),
  /** Channel of one instance's own round trip through pub/sub. */
  canary: (instance: string) => key('canary', instance),
  /** Prefix of the Socket.IO adapter's channels. */
  bus: () => key('bus'),
} as const;
