import { domainToASCII } from 'node:url';
import ipaddr from 'ipaddr.js';

export type Address = ipaddr.IPv4 | ipaddr.IPv6;
export type AddressRange = [Address, number];

/** One or more labels; underscores occur in private names. At most 253 characters (RFC 1035 2.3.4). */
const NAME = /^(?=.{1,253}$)[a-z0-9_](?:[a-z0-9_-]{0,62})(?:\.[a-z0-9_][a-z0-9_-]{0,62})*$/;

/** Looks like a number to inet_aton(3) and to the URL standard's host parser: never a name. */
const NUMERIC_END = /(?:^|\.)(?:\d+|0x[0-9a-f]*)$/;

function ranges(list: readonly string[]): AddressRange[] {
  return list.map((cidr) => ipaddr.parseCIDR(cidr));
}

/**
 * Addresses that are no SSH host of anybody. Besides the special ranges of the IANA registries (RFC 6890) those under
 * which clouds serve machine credentials, and IPv6 forms that carry an IPv4 address inside.
 */
const SPECIAL = ranges([
  '0.0.0.0/8', // unspecified, "this network"
  '127.0.0.0/8', // loopback
  '169.254.0.0/16', // link-local; metadata of AWS, Azure, Google, DigitalOcean and others
  '192.0.0.0/24', // protocol assignments; metadata of Oracle
  '100.100.100.200/32', // metadata of Alibaba
  '168.63.129.16/32', // Azure's host agent
  '224.0.0.0/4', // multicast
  '240.0.0.0/4', // reserved, broadcast
  '::/96', // unspecified, loopback, IPv4-compatible (RFC 4291 2.5.5.1, deprecated)
  '::ffff:0:0:0/96', // IPv4-translated (RFC 2765)
  '64:ff9b:1::/48', // local NAT64 (RFC 8215): where the IPv4 address stands in it is not known
  '100::/64', // discard (RFC 6666)
  '2001::/32', // Teredo
  '2002::/16', // 6to4 (RFC 7526 retires it)
  'fe80::/10', // link-local
  'fec0::/10', // site-local (RFC 3879 retires it)
  'ff00::/8', // multicast
  'fd00:ec2::/32', // metadata of AWS
  'fd20:ce::254/128', // metadata of Google
  'fd00:42::42/128', // metadata of Scaleway
]);

/** NAT64 (RFC 6052): reaches the IPv4 address in its last 32 bits, which therefore has to be allowed itself. */
const NAT64 = ranges(['64:ff9b::/96']);

export const LOOPBACK = ranges(['127.0.0.0/8', '::1/128']);

/** Whether an address lies in one of the ranges; an IPv4 address never lies in an IPv6 range. */
export function inRanges(address: Address, list: readonly AddressRange[]): boolean {
  return list.some(([base, bits]) => address.kind() === base.kind() && address.match(base, bits));
}

/** Whether an address, or the IPv4 address a NAT64 gateway would make of it, is special. Takes what `parseAddress` returns. */
export function isSpecial(address: Address): boolean {
  if (inRanges(address, SPECIAL)) return true;
  return inRanges(address, NAT64) && isSpecial(ipaddr.fromByteArray(address.toByteArray().slice(12)));
}

/** Reads an address in any spelling; IPv4-mapped IPv6 becomes IPv4. Null for what is none, zone ids included. */
export function parseAddress(text: string): Address | null {
  if (text.includes('%') || !ipaddr.isValid(text)) return null;
  return ipaddr.process(text);
}

/** The canonical text: dotted decimal, or IPv6 by RFC 5952. */
export function formatAddress(address: Address): string {
  return address.kind() === 'ipv6' ? (address as ipaddr.IPv6).toRFC5952String() : address.toString();
}

/**
 * Brings a host as users write it into the one form that pins, pools and rules compare: a canonical address or a
 * lower-case ASCII name without a trailing dot.
 * @returns null for what is neither: zone ids, odd characters, numbers that are no address
 */
export function normalizeHost(host: string): { name: string; address: Address | null } | null {
  const bare = host.startsWith('[') && host.endsWith(']') ? host.slice(1, -1) : host;
  if (bare.includes(':')) {
    const address = /^[0-9a-fA-F:.]+$/.test(bare) ? parseAddress(bare) : null;
    return address && { name: formatAddress(address), address };
  }
  // Percent signs would be decoded, and anything behind these delimiters silently dropped.
  if (bare !== host || /[%/\\?#@\s]/.test(host)) return null;
  const name = domainToASCII(host).toLowerCase().replace(/\.$/, '');
  if (NUMERIC_END.test(name)) {
    const address = parseAddress(name);
    return address && { name: formatAddress(address), address };
  }
  return NAME.test(name) ? { name, address: null } : null;
}
