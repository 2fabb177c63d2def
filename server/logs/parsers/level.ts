import type { Level } from '../../../shared/log-entry.ts';
import { stripAnsi } from '../ansi.ts';

const SPELLINGS: Record<Level, string> = {
  trace: 'trace trc trce silly',
  debug: 'debug dbg debg debu dbug verbose http',
  info: 'info inf information',
  notice: 'notice not ntc note',
  warn: 'warn wrn warning',
  error: 'error err erro eror',
  fatal: 'fatal fatl ftl fat crit critical alert emerg emergency panic dpanic',
};

const LEVEL_OF: ReadonlyMap<string, Level> = new Map(
  (Object.keys(SPELLINGS) as Level[]).flatMap((level) =>
    SPELLINGS[level].split(' ').flatMap((word): [string, Level][] => [
      [word, level],
      [word.toUpperCase(), level],
      [`${word.charAt(0).toUpperCase()}${word.slice(1)}`, level],
    ]),
  ),
);

/** Longest spelling, in characters: longer words are not looked up. */
const LONGEST = 11;

/** The level a word stands for (`EROR`, `Warn`, `inf`), or null. */
export function levelOf(word: string): Level | null {
  return word.length > LONGEST ? null : (LEVEL_OF.get(word) ?? null);
}

/** Like `levelOf`, and knows the numbers of pino and bunyan (10 = trace .. 60 = fatal; values between count down). */
export function levelOfValue(text: string): Level | null {
  // winston's colorize writes its colours into the value.
  const word = levelOf(stripAnsi(text).trim());
  if (word !== null || text === '') return word;
  const number = Number(text);
  if (!Number.isInteger(number) || number < 10) return null;
  const steps: Level[] = ['trace', 'debug', 'info', 'warn', 'error', 'fatal'];
  return steps[Math.min(Math.floor(number / 10), steps.length) - 1] ?? null;
}
