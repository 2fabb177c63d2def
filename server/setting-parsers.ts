import ipaddr from 'ipaddr.js';
import { normalizeUnit } from '../shared/unit-name.ts';
import type { TrustProxy } from './core/client-address.ts';

/**
 * Parsers of settings: from text that is not empty to the value. Each throws an Error whose message ends the sentence
 * "NAME ...".
 */

const list = (text: string): string[] =>
  text
    .split(',')
    .map((part) => part.trim())
    .filter((part) => part !== '');

function fail(message: string): never {
  throw new Error(message);
}

export function oneOf<const T extends string>(...words: T[]): (text: string) => T {
  return (text) =>
    words.find((word) => word === text.toLowerCase()) ?? fail(`must be one of ${words.join(', ')}`);
}

export function integer(min: number, max: number, scale = 1): (text: string) => number {
  return (text) => {
    const value = /^\d{1,15}$/.test(text) ? Number(text) : Number.NaN;
    if (!(value >= min && value <= max)) fail(`must be a whole number from ${min} to ${max}`);
    return value * scale;
  };
}

export function flag(text: string): boolean {
  const value = text.toLowerCase();
  if (['1', 'true', 'yes', 'on'].includes(value)) return true;
  return ['0', 'false', 'no', 'off'].includes(value) ? false : fail('must be 1 or 0');
}

export function plainText(text: string): string {
  return text;
}

export function secretList(text: string): string[] {
  const secrets = list(text);
  return secrets.length > 0 ? secrets : fail('holds no secret');
}

function parsedUrl(text: string): URL {
  return URL.canParse(text) ? new URL(text) : fail('must be a URL');
}

export function httpUrl(text: string): string {
  return /^https?:$/.test(parsedUrl(text).protocol) ? text : fail('must start with http:// or https://');
}

export function origins(text: string): string[] {
  return list(text).map((entry) => {
    const url = URL.canParse(entry) ? new URL(entry) : null;
    if (
      !url ||
      !/^https?:$/.test(url.protocol) ||
      url.pathname !== '/' ||
      url.search !== '' ||
      url.username !== ''
    ) {
      fail(`must list origins (scheme, host and port, no path, no *), which "${entry.slice(0, 100)}" is not`);
    }
    return url.origin;
  });
}

/** `redis+sentinel://[user:password@]host[:port],host[:port].../name[/db]`; anything beyond that is for the Redis client. */
const SENTINEL_URL =
  /^redis\+sentinel:\/\/(?:[^@\s]*@)?[^\s@,/:]+(?::\d+)?(?:,[^\s@,/:]+(?::\d+)?)*(?:\/[^\s]*)?$/;

export function redisUrl(text: string): string {
  if (text.startsWith('redis+sentinel://')) {
    return SENTINEL_URL.test(text) ? text : fail('is not a redis+sentinel:// URL');
  }
  if (!/^rediss?:\/\//.test(text)) fail('must start with redis://, rediss:// or redis+sentinel://');
  return parsedUrl(text).hostname === '' ? fail('names no host') : text;
}

function isRange(text: string): boolean {
  return ipaddr.isValid(text) || ipaddr.isValidCIDR(text);
}

export function trustProxy(text: string): TrustProxy {
  if (/^(0|false|no|off)$/i.test(text)) return { kind: 'none' };
  if (/^\d{1,2}$/.test(text)) return { kind: 'hops', hops: Number(text) };
  const ranges = list(text);
  const bad = ranges.find((range) => range !== 'loopback' && !isRange(range));
  if (bad !== undefined || ranges.length === 0) {
    fail(
      'must be the number of proxies in front, or their addresses (trusting everybody would let clients forge theirs)',
    );
  }
  return {
    kind: 'ranges',
    ranges: ranges.flatMap((range) => (range === 'loopback' ? ['127.0.0.0/8', '::1/128'] : [range])),
  };
}

export function allowedHosts(text: string): string[] {
  const hosts = list(text);
  const bad = hosts.find(
    (host) => !isRange(host) && !/^(\*\.)?[A-Za-z0-9_]([A-Za-z0-9_.-]{0,251})$/.test(host),
  );
  return bad === undefined
    ? hosts
    : fail(`must list host names, addresses and CIDR ranges, which "${bad.slice(0, 100)}" is not`);
}

export function units(text: string): string[] {
  return [
    ...new Set(
      list(text).map(
        (unit) => normalizeUnit(unit) ?? fail(`must list unit names, which "${unit.slice(0, 100)}" is not`),
      ),
    ),
  ];
}

/** An address or name to listen on. */
export function listenHost(text: string): string {
  return /^[A-Za-z0-9.:_-]{1,253}$/.test(text) ? text : fail('must be an address or a host name');
}

/** Phrases of secrets that come from examples and tutorials, letters and digits only. */
const PLACEHOLDER_PARTS = [
  'changeme',
  'changethis',
  'changeit',
  'changeinproduction',
  'replaceme',
  'replacethis',
  'placeholder',
  'yoursecret',
  'yourpassword',
  'yourtoken',
  'yourkey',
  'yourjwt',
  'yoursession',
  'opensslrand',
];
/** Whole secrets made of nothing but such words. */
const PLACEHOLDER_WORDS =
  /^(?:(?:my|the|a|your|super|top|very|dev|default|test|testing|demo|example|sample|some|insecure|session|jwt|hmac|auth|nexus|app|api|secret|secrets|password|passwd|pass|key|token|value|here|admin|root|foo|bar|none|null|undefined|todo|x)+|qwerty)?\d{0,6}$/;

/** Whether a secret is one that everybody knows: empty, a word of examples, or only such words and a few digits. */
export function isPlaceholder(text: string): boolean {
  const plain = text
    .slice(0, 200)
    .toLowerCase()
    .replace(/[^a-z0-9]/g, '');
  if (/^[<[{].*[>\]}]$/.test(text.slice(0, 200))) return true;
  return (
    PLACEHOLDER_PARTS.some((part) => plain.includes(part)) ||
    (plain.length <= 40 && PLACEHOLDER_WORDS.test(plain))
  );
}
