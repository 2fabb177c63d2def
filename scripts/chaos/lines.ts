import { cursorKey, readCursorKey } from '../../server/logs/journal/cursor.ts';
import { type JournalRecord, messageOf } from '../lab/journal.ts';
import type { Truth } from './checker.ts';

/** Characters of an id in front of the entry's key: the tag that binds it to its stream. */
const TAG_CHARS = 8;

/**
 * Numbers the lines of one unit in the order in which any viewer saw them first, so that a history of 100 000 lines is a
 * handful of runs. A line is known by its entry in the journal, not by its text.
 */
export interface Lines {
  /** The number of a delivered line. */
  number(id: string, text: string): number;
  /** Whether a line is the journal entry with this cursor. */
  isAt(line: number, cursor: string): boolean;
  /** When the journal took it, in epoch microseconds. */
  timeUs(line: number): number;
  /** Deliveries whose text differed from the first delivery of the same entry. */
  readonly altered: number;
  /** Texts, by their numbers, that differ from the journal's, and the truth to check histories with. */
  compare(
    journal: readonly JournalRecord[],
    startBy: (message: string) => boolean,
  ): { truth: Truth; wrongTexts: number };
}

export function createLines(): Lines {
  const numbers = new Map<string, number>();
  const texts: string[] = [];
  const times: number[] = [];
  let altered = 0;
  return {
    number(id, text) {
      const key = id.slice(TAG_CHARS);
      const known = numbers.get(key);
      if (known !== undefined) {
        if (texts[known] !== text) altered++;
        return known;
      }
      const number = texts.push(text) - 1;
      numbers.set(key, number);
      const parts = readCursorKey(key);
      times.push(parts?.kind === 'entry' ? Number(parts.t) : 0);
      return number;
    },
    isAt: (line, cursor) => line >= 0 && numbers.get(cursorKey(cursor) ?? '') === line,
    timeUs: (line) => times[line] ?? 0,
    get altered() {
      return altered;
    },
    compare(journal, startBy) {
      const places: (number | undefined)[] = new Array(texts.length);
      const known = new Set<string>();
      let length = 0;
      let start: number | undefined;
      let wrongTexts = 0;
      for (const record of journal) {
        const key = cursorKey(String(record.__CURSOR)) ?? '';
        if (known.has(key)) continue;
        known.add(key);
        const message = messageOf(record);
        const number = numbers.get(key);
        if (number !== undefined) {
          places[number] = length;
          if (texts[number] !== message) wrongTexts++;
        }
        if (start === undefined && startBy(message)) start = length;
        length++;
      }
      const truth = { placeOf: (line: number) => places[line], length, startBy: start ?? length };
      return { truth, wrongTexts };
    },
  };
}
