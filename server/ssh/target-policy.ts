import { promises as dns } from 'node:dns';
import ipaddr from 'ipaddr.js';
import { AppError } from '../core/errors.ts';
import {
  type Address,
  type AddressRange,
  formatAddress,
  inRanges,
  isSpecial,
  LOOPBACK,
  normalizeHost,
  parseAddress,
} from './address.ts';
import type { TargetPolicy } from './types.ts';

/** A name that takes longer is treated as not resolving, in ms. */
const LOOKUP_TIMEOUT_MS = 5_000;

/** Names being resolved at once; each occupies a thread of libuv's pool until the resolver gives up. */
const MAX_LOOKUPS = 64;

export type Lookup = (name: string) => Promise<readonly { address: string }[]>;

interface Rules {
  names: Set<string>;
  /** `.example.org` for `*.example.org`. */
  suffixes: string[];
  ranges: AddressRange[];
}

function parseRules(allowed: readonly string[]): Rules {
  const rules: Rules = { names: new Set(), suffixes: [], ranges: [] };
  for (const text of allowed) {
    const entry = text.trim();
    if (ipaddr.isValidCIDR(entry)) {
      rules.ranges.push(ipaddr.parseCIDR(entry));
      continue;
    }
    const wildcard = entry.startsWith('*.');
    const host = normalizeHost(wildcard ? entry.slice(2) : entry);
    if (!host || (wildcard && host.address)) {
      throw new TypeError(`"${text}" is no host name, *.domain, address or CIDR range`);
    }
    if (host.address) rules.ranges.push([host.address, host.address.kind() === 'ipv4' ? 32 : 128]);
    else if (wildcard) rules.suffixes.push(`.${host.name}`);
    else rules.names.add(host.name);
    if (host.name === 'localhost') rules.ranges.push(...LOOPBACK);
  }
  return rules;
}

async function limited<T>(work: Promise<T>, timeoutMs: number): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const timeout = new Promise<never>((_resolve, reject) => {
    timer = setTimeout(() => reject(new Error('name resolution took too long')), timeoutMs);
  });
  try {
    return await Promise.race([work, timeout]);
  } finally {
    clearTimeout(timer);
  }
}

/**
 * Decides which hosts may be reached [SES-4].
 *
 * Without `allowed`: every address but loopback, link-local, metadata, multicast, unspecified and the like, however it
 * is spelled. With it: only what is listed. A listed address or CIDR range allows exactly its addresses, special ones
 * too because the operator said so, whether the user types the address or a name that resolves into it. A listed name
 * (or `*.domain`, which means its subdomains at any depth) allows that name with addresses that are not special.
 * `localhost` stands for itself, 127.0.0.0/8 and ::1. An empty list allows nothing.
 * A name passes only if all its addresses do.
 * @param options.alwaysAllow host and port pairs allowed in spite of the rules (the demo node)
 * @param options.lookup resolves a name to all its addresses; for tests
 * @throws TypeError for an entry of `allowed` that is none of these
 */
export function createTargetPolicy(options: {
  allowed?: readonly string[];
  alwaysAllow?: readonly { host: string; port: number }[];
  lookup?: Lookup;
  lookupTimeoutMs?: number;
}): TargetPolicy {
  const rules = options.allowed && parseRules(options.allowed);
  const always = new Set(
    (options.alwaysAllow ?? []).map(({ host, port }) => `${normalizeHost(host)?.name} ${port}`),
  );
  const lookup: Lookup = options.lookup ?? ((name) => dns.lookup(name, { all: true, verbatim: true }));
  const lookups = new Map<string, Promise<readonly { address: string }[]>>();

  function nameAllowed(name: string): boolean {
    if (!rules) return true;
    return rules.names.has(name) || rules.suffixes.some((suffix) => name.endsWith(suffix));
  }

  function addressAllowed(address: Address, byName: boolean): boolean {
    if (rules && inRanges(address, rules.ranges)) return true;
    return byName && !isSpecial(address);
  }

  /** Callers asking for the same name at the same time share one look-up; nothing is remembered longer. */
  function addressesOf(name: string): Promise<readonly { address: string }[]> {
    let pending = lookups.get(name);
    if (!pending) {
      if (lookups.size >= MAX_LOOKUPS) return Promise.reject(new Error('too many names are being resolved'));
      pending = lookup(name).finally(() => lookups.delete(name));
      // Its failure after the time limit concerns nobody any more.
      pending.catch(() => {});
      lookups.set(name, pending);
    }
    return limited(pending, options.lookupTimeoutMs ?? LOOKUP_TIMEOUT_MS);
  }

  return {
    async resolve(host, port) {
      const normal = normalizeHost(host);
      if (!normal) throw new AppError('host_not_allowed', { cause: 'neither a host name nor an address' });
      const exempt = always.has(`${normal.name} ${port}`);
      const byName = exempt || nameAllowed(normal.name);
      if (!byName && normal.address === null && rules?.ranges.length === 0)
        throw new AppError('host_not_allowed');

      let addresses: (Address | null)[] = [normal.address];
      if (!normal.address) {
        const found = await addressesOf(normal.name).catch((cause: unknown) => {
          throw new AppError(byName ? 'host_unreachable' : 'host_not_allowed', { cause });
        });
        addresses = found.map(({ address }) => parseAddress(address));
      }
      if (addresses.length === 0)
        throw new AppError('host_unreachable', { cause: 'the name has no address' });
      const checked = addresses.filter((address) => address && (exempt || addressAllowed(address, byName)));
      const first = checked[0];
      if (!first || checked.length < addresses.length) throw new AppError('host_not_allowed');
      return { address: formatAddress(first), family: first.kind() === 'ipv4' ? 4 : 6 };
    },
  };
}
