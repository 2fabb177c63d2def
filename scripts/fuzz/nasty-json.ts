/** Values that code trips over: wrong types, extremes, names of the prototype, broken text. */
const NASTY: readonly string[] = [
  'null',
  'true',
  '-1',
  '0.5',
  '1e400',
  '-0',
  '9007199254740993',
  '123456789012345678901234567890',
  '""',
  '" "',
  '[]',
  '{}',
  '[[]]',
  '{"__proto__":{"polluted":true}}',
  '{"constructor":{"prototype":{"polluted":true}}}',
  '{"a":1,"a":2}',
  '{"_placeholder":true,"num":0}',
  '{"_placeholder":true,"num":-1}',
  '{"toString":1,"valueOf":null,"then":1}',
  '"__proto__"',
  '"constructor"',
  '"hasOwnProperty"',
  '"connect"',
  '"disconnect"',
  '"error"',
  '"newListener"',
  '"../../etc/passwd"',
  '"*"',
  '"#"',
  '"+.+"',
  '"\\u0000"',
  '"\\ud800"',
  '"\\u202e"',
  '"\\r\\nX: 1"',
  '"(a+)+$"',
  `"${'a'.repeat(5000)}"`,
  `${'['.repeat(1000)}${']'.repeat(1000)}`,
];
/** Nesting that recursive code does not survive; rarely, since it is long. */
const DEEP = `${'['.repeat(100_000)}${']'.repeat(100_000)}`;
const DEEP_EVERY = 2000;

type Json = null | boolean | number | string | Json[] | { [key: string]: Json };

/** Puts a nasty value in the place of one that stands somewhere in `json`, or beside it; the result is JSON text again. */
export function withNastyValue(json: string, below: (limit: number) => number): string {
  const nasty = below(DEEP_EVERY) === 0 ? DEEP : (NASTY[below(NASTY.length)] ?? 'null');
  const places: string[] = [];
  const hole = '@@nasty@@';
  const walk = (value: Json, rebuild: (part: Json) => Json): void => {
    places.push(JSON.stringify(rebuild(hole)));
    if (Array.isArray(value)) {
      for (const [at, part] of value.entries()) walk(part, (other) => rebuild(value.with(at, other)));
    } else if (value !== null && typeof value === 'object') {
      for (const [key, part] of Object.entries(value)) {
        walk(part, (other) => rebuild({ ...value, [key]: other }));
        places.push(
          JSON.stringify(rebuild({ [hole]: 1, ...value })).replace(`"${hole}":1`, `"${key}":"${hole}"`),
        );
      }
    }
  };
  walk(JSON.parse(json) as Json, (part) => part);
  return (places[below(places.length)] ?? '').replace(`"${hole}"`, () => nasty);
}

/** Bits of syntax of JSON and of the dialects' headers. */
export const MESSAGE_SYNTAX: readonly string[] = [
  '"',
  '\\',
  '{',
  '}',
  '[',
  ']',
  ':',
  ',',
  '\n',
  '\0',
  '\\u0000',
  '\\ud800',
  '"__proto__":',
  'null',
  '1e999',
  '-',
  '.',
  '#',
  '+',
  '::',
  ':1.0.0:',
  '{"_placeholder":true,"num":0}',
  '451-',
  '\ufeff',
  '\u202e',
  '\ud800',
  'é',
];
