import ipaddr from 'ipaddr.js';

/** How many proxies, or which, may say who the client is (`TRUST_PROXY`). */
export type TrustProxy =
  | { kind: 'none' }
  | { kind: 'hops'; hops: number }
  | { kind: 'ranges'; ranges: string[] };

/** The part of a request that names its sender; Node's IncomingMessage fits. */
export interface AddressedRequest {
  socket: { remoteAddress?: string | undefined };
  headers: Readonly<Record<string, string | string[] | undefined>>;
}

/**
 * Whether the machine at `address`, `hop` machines away from us (0: the peer of the TCP connection), may say from whom
 * it got the request. This is the form that Express takes as `trust proxy`.
 */
export type ProxyTrust = (address: string, hop: number) => boolean;

export function createProxyTrust(setting: TrustProxy): ProxyTrust {
  if (setting.kind === 'none') return () => false;
  if (setting.kind === 'hops') return (_address, hop) => hop < setting.hops;
  const ranges = setting.ranges.map(parseRange);
  return (address) => {
    const parsed = parseAddress(address);
    return (
      parsed !== null && ranges.some(([net, bits]) => net.kind() === parsed.kind() && parsed.match(net, bits))
    );
  };
}

/**
 * The address of the client that a request comes from, for limits and logs; the same rule for HTTP and sockets. Goes
 * through X-Forwarded-For from the nearest machine outwards as long as `trust` holds, so that a client cannot claim
 * another address than the outermost trusted proxy saw.
 *
 * @returns a normalised address (IPv4-mapped IPv6 becomes IPv4), or `unknown` for a connection that is gone.
 */
export function clientAddress(request: AddressedRequest, trust: ProxyTrust): string {
  const header = request.headers['x-forwarded-for'];
  const forwarded = (Array.isArray(header) ? header.join(',') : (header ?? ''))
    .split(',')
    .map((part) => part.trim());
  let current = request.socket.remoteAddress ?? '';
  for (let hop = 0; trust(current, hop); hop += 1) {
    const next = forwarded.pop();
    if (!next || parseAddress(next) === null) break;
    current = next;
  }
  const address = parseAddress(current)?.toString() ?? 'unknown';
  // The same text once: the connection keeps it as long as it lives.
  return address === current ? current : address;
}

/**
 * What one client has of the address space, for limits: an IPv4 address as it is, of an IPv6 one its /64, which is the least
 * that one customer gets (RFC 6177). Anything else as text.
 */
export function addressGroup(text: string): string {
  const address = parseAddress(text);
  if (address === null) return text;
  return address.kind() === 'ipv4' ? address.toString() : `${address.toByteArray().slice(0, 8).join('.')}/64`;
}

function parseAddress(text: string): ipaddr.IPv4 | ipaddr.IPv6 | null {
  return ipaddr.isValid(text) ? ipaddr.process(text) : null;
}

function parseRange(text: string): [ipaddr.IPv4 | ipaddr.IPv6, number] {
  if (text.includes('/')) return ipaddr.parseCIDR(text);
  const address = ipaddr.process(text);
  return [address, address.kind() === 'ipv4' ? 32 : 128];
}
