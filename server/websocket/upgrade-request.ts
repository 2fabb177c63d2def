import type { IncomingMessage } from 'node:http';
import { clientAddress, type ProxyTrust } from '../core/client-address.ts';
import type { UpgradeRequest } from './types.ts';

/** Most sub-protocols that are looked at. */
const PROTOCOLS_MAX = 16;

/** Takes an upgrade request apart; null where its target is malformed. */
export function readUpgradeRequest(request: IncomingMessage, trust: ProxyTrust): UpgradeRequest | null {
  const url = request.url ?? '/';
  // A query may hold further question marks (RFC 3986 section 3.4).
  const end = url.indexOf('?');
  const query = end < 0 ? '' : url.slice(end + 1);
  let path: string;
  try {
    path = decodeURIComponent(end < 0 ? url : url.slice(0, end));
  } catch {
    return null;
  }
  if (!path.startsWith('/')) return null;
  return {
    // A slash at the end says nothing, as in the HTTP routes.
    path: path.length > 1 && path.endsWith('/') ? path.slice(0, -1) : path,
    query: new URLSearchParams(query),
    protocols: (request.headers['sec-websocket-protocol'] ?? '')
      .split(',', PROTOCOLS_MAX)
      .map((name) => name.trim())
      .filter((name) => name !== ''),
    headers: request.headers,
    address: clientAddress(request, trust),
  };
}

/** Prefix of the sub-protocol that carries a token, so that browsers need not put it into the URL [WS-1]. */
const BEARER_PROTOCOL = 'bearer.';

/** The token of a request, from `?token=`, `Authorization: Bearer` or the sub-protocol `bearer.TOKEN`, in this order. */
export function requestToken(request: UpgradeRequest): string | null {
  const header = /^Bearer +(\S+)$/i.exec(request.headers.authorization ?? '')?.[1];
  const protocol = request.protocols.find((name) => name.startsWith(BEARER_PROTOCOL));
  return request.query.get('token') || header || protocol?.slice(BEARER_PROTOCOL.length) || null;
}

/**
 * The sub-protocol to answer with: a client that offers some must get one of them (WHATWG WebSockets). The dialect's own
 * where it is offered, else the one with the token.
 */
export function chooseProtocol(request: UpgradeRequest, own: string): string | undefined {
  if (request.protocols.includes(own)) return own;
  return request.protocols.find((name) => name.startsWith(BEARER_PROTOCOL));
}
