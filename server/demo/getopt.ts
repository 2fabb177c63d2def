/** Whether an option takes a value: `optional` only as `--name=value`, or as the next word where `takes` accepts it. */
export interface OptionRule {
  /** One letter and long name, `u` and `unit`. */
  short?: string;
  long: string;
  value: 'none' | 'required' | 'optional';
  /** For `optional`: a following word is the value where this holds. */
  takes?: (word: string) => boolean;
}

export interface ParsedOptions {
  /** In the order given: long name and value, `''` where there is none. */
  options: [name: string, value: string][];
  operands: string[];
}

/**
 * Splits a command line into options and operands, as getopt_long(3) does: options anywhere, short ones in clusters,
 * `--` ends them. Abbreviated long names are not understood.
 *
 * @returns what was found, or the text of the complaint
 */
export function parseOptions(rules: readonly OptionRule[], argv: readonly string[]): ParsedOptions | string {
  const parsed: ParsedOptions = { options: [], operands: [] };
  const words = [...argv];

  function takeNext(rule: OptionRule): string {
    const next = words[0];
    return next !== undefined && rule.takes?.(next) ? (words.shift() ?? '') : '';
  }

  function takeLong(word: string): string | null {
    const equals = word.indexOf('=');
    const name = word.slice(2, equals < 0 ? undefined : equals);
    const rule = rules.find((one) => one.long === name);
    if (!rule) return `unrecognized option '--${name}'`;
    if (equals >= 0) {
      if (rule.value === 'none') return `option '--${name}' doesn't allow an argument`;
      parsed.options.push([name, word.slice(equals + 1)]);
    } else if (rule.value === 'required') {
      const value = words.shift();
      if (value === undefined) return `option '--${name}' requires an argument`;
      parsed.options.push([name, value]);
    } else {
      parsed.options.push([name, takeNext(rule)]);
    }
    return null;
  }

  function takeShort(word: string): string | null {
    for (let at = 1; at < word.length; at++) {
      const letter = word.charAt(at);
      const rule = rules.find((one) => one.short === letter);
      if (!rule) return `invalid option -- '${letter}'`;
      const rest = word.slice(at + 1);
      if (rule.value === 'none') {
        parsed.options.push([rule.long, '']);
        continue;
      }
      const value = rest !== '' ? rest : rule.value === 'required' ? words.shift() : takeNext(rule);
      if (value === undefined) return `option requires an argument -- '${letter}'`;
      parsed.options.push([rule.long, value]);
      break;
    }
    return null;
  }

  for (let word = words.shift(); word !== undefined; word = words.shift()) {
    if (word === '--') {
      parsed.operands.push(...words);
      break;
    }
    const complaint = word.startsWith('--') ? takeLong(word) : /^-./.test(word) ? takeShort(word) : null;
    if (complaint !== null) return complaint;
    if (!word.startsWith('-') || word === '-') parsed.operands.push(word);
  }
  return parsed;
}
