import { randomBytes } from 'node:crypto';
import { existsSync, readFileSync } from 'node:fs';
import { parse as parseDotenv } from 'dotenv';
import { isPlaceholder } from './setting-parsers.ts';
import { SETTINGS, type Setting, type SettingKey } from './settings.ts';

type Rows = typeof SETTINGS;

/** Settings with a default or required in production always have a value; the others may be undefined. */
type Values = {
  readonly [K in SettingKey]: Rows[K] extends { default: string } | { required: true }
    ? ReturnType<Rows[K]['parse']>
    : ReturnType<Rows[K]['parse']> | undefined;
};

/** The whole configuration of one process; every duration in milliseconds. */
export interface Config extends Values {
  readonly production: boolean;
  /** What the operator should know about it at the start: secrets made up for this run, settings without effect. */
  readonly notices: readonly string[];
}

export type ConfigResult = { ok: true; config: Config } | { ok: false; problems: string[] };

/** Shortest secret accepted in production, in characters: 96 bits as base64. */
const SECRET_MIN = 16;

/**
 * Reads the configuration from a set of environment variables [ENV-1]. Empty variables count as not set. Outside
 * production missing secrets are made up, which `notices` says [WS-0].
 *
 * @returns the configuration, or one sentence for every faulty variable, with an example but never with a secret.
 */
export function loadConfig(env: Readonly<Record<string, string | undefined>>): ConfigResult {
  const problems: string[] = [];
  const notices: string[] = [];
  const values: Record<string, unknown> = {};
  const production = env.NODE_ENV?.trim().toLowerCase() === 'production';
  const complain = (row: Setting<unknown>, variable: string, what: string) => {
    problems.push(`${variable} ${what}. Example: ${variable}=${quoteExample(row.example)}`);
  };

  for (const [key, row] of Object.entries<Setting<unknown>>(SETTINGS)) {
    const variable = [row.name, ...(row.aliases ?? [])].find((name) => env[name]?.trim()) ?? row.name;
    const given = env[variable]?.trim();
    const text = given || (production ? undefined : row.developmentDefault) || row.default;
    if (text === undefined) continue;
    try {
      values[key] = row.parse(text);
    } catch (error) {
      complain(row, variable, error instanceof Error ? error.message : 'is malformed');
      continue;
    }
    if (production && row.secret && given) {
      const secrets = Array.isArray(values[key]) ? values[key].map(String) : [given];
      if (secrets.some(isPlaceholder)) complain(row, variable, 'is a placeholder, not a secret');
      else if (secrets.some((one) => one.length < SECRET_MIN)) {
        complain(row, variable, `is too short: at least ${SECRET_MIN} random characters`);
      }
    }
  }

  const isSet = (key: SettingKey) => values[key] !== undefined;
  const mentioned = (row: Setting<unknown>) => problems.some((problem) => problem.startsWith(`${row.name} `));
  if (production) {
    if (!isSet('redisUrl') && values.embedded !== true && !mentioned(SETTINGS.redisUrl)) {
      complain(
        SETTINGS.redisUrl,
        'REDIS_URL',
        'is required in production (or EMBEDDED=1 for one instance without Redis)',
      );
    }
    for (const [key, row] of Object.entries<Setting<unknown>>(SETTINGS)) {
      if (row.required && values[key] === undefined && !mentioned(row))
        complain(row, row.name, 'is required in production');
    }
  } else {
    const invented: string[] = [];
    for (const [key, row] of Object.entries<Setting<unknown>>(SETTINGS)) {
      if (!row.madeUp || values[key] !== undefined || mentioned(row)) continue;
      values[key] = row.parse(randomBytes(32).toString('base64url'));
      invented.push(row.name);
    }
    if (invented.length > 0) notices.push(`Made up for this run, because not set: ${invented.join(', ')}.`);
  }
  requirePair(SETTINGS.tlsCert, SETTINGS.tlsKey, isSet('tlsCert'), isSet('tlsKey'), complain);
  requirePair(
    SETTINGS.docsUsername,
    SETTINGS.docsPassword,
    isSet('docsUsername'),
    isSet('docsPassword'),
    complain,
  );
  if (values.tlsRequestClientCert === true && !isSet('tlsCert')) {
    complain(SETTINGS.tlsCert, 'TLS_CERT', 'is needed by TLS_REQUEST_CLIENT_CERT=1');
  }
  if (values.tlsRequestClientCert === true && !isSet('tlsCa')) {
    complain(SETTINGS.tlsCa, 'TLS_CA', 'is needed by TLS_REQUEST_CLIENT_CERT=1');
  }
  if (values.embedded === true && isSet('redisUrl')) {
    notices.push('EMBEDDED=1: REDIS_URL is ignored.');
    values.redisUrl = undefined;
  }
  if (problems.length > 0) return { ok: false, problems };
  values.embedded = values.redisUrl === undefined;
  for (const key of Object.keys(SETTINGS)) values[key] ??= undefined;
  // Built key by key from the same table that Values is derived from.
  return { ok: true, config: { ...(values as unknown as Values), production, notices } };
}

function requirePair(
  first: Setting<unknown>,
  second: Setting<unknown>,
  hasFirst: boolean,
  hasSecond: boolean,
  complain: (row: Setting<unknown>, variable: string, what: string) => void,
): void {
  if (hasFirst && !hasSecond) complain(second, second.name, `is needed together with ${first.name}`);
  if (hasSecond && !hasFirst) complain(first, first.name, `is needed together with ${second.name}`);
}

function quoteExample(example: string): string {
  return example.includes(' ') ? `<${example}>` : example;
}

/**
 * The configuration of this process: its environment, and below that the file `.env` of the working directory.
 * Nothing else in the server reads `process.env`.
 */
export function readConfig(): ConfigResult {
  const file = existsSync('.env') ? parseDotenv(readFileSync('.env', 'utf8')) : {};
  // An empty variable counts as not set, so it hides nothing that the file says.
  const set = Object.entries(process.env).filter(([, value]) => value?.trim());
  return loadConfig({ ...file, ...Object.fromEntries(set) });
}

/** The text of `.env.example`: every variable with its meaning and default. */
export function envExample(): string {
  const parts = [
    '# Settings of Tailwire. Copy to .env and change what you need; empty means not set.',
    '# Generated from server/settings.ts: npx tsx scripts/check-docs.ts --write',
  ];
  for (const row of Object.values<Setting<unknown>>(SETTINGS)) {
    const notes = [
      ...(row.aliases ? [`Also read as ${row.aliases.join(', ')}.`] : []),
      ...(row.developmentDefault ? [`Default outside production: ${row.developmentDefault}.`] : []),
      ...(row.madeUp ? ['Made up for each run outside production.'] : []),
      ...(row.default === undefined ? [`Example: ${row.example}`] : []),
    ];
    parts.push(
      `\n# ${row.doc}${notes.length > 0 ? `\n# ${notes.join(' ')}` : ''}\n#${row.name}=${row.default ?? ''}`,
    );
  }
  return `${parts.join('\n')}\n`;
}
