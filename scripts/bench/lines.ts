/** Stands exactly once in every line, and in nothing that a parser makes of one: what a sink counts. */
export const MARK = '|'.charCodeAt(0);

const digits = (value: number, count: number) => String(value).padStart(count, '0');

/**
 * A line as geth writes one for an imported block, padded to about 240 bytes; always of the same length, so that every
 * candidate sends the same bytes.
 */
export function gethLine(n: number): string {
  const ms = n % 1000;
  const second = Math.floor(n / 1000) % 60;
  const hash = digits((n * 2_654_435_761) % 16_777_216, 8);
  return (
    `INFO [11-21|01:30:${digits(second, 2)}.${digits(ms, 3)}] Imported new potential chain segment   ` +
    `number=${19_000_000 + n} hash=${hash.slice(0, 6)}..${hash.slice(2)} blocks=1 txs=${100 + (n % 300)} ` +
    `mgas=${10 + (n % 20)}.${digits(ms, 3)} elapsed=${100 + (n % 400)}.${digits(ms, 3)}ms mgasps=132.6 ` +
    `snapdiffs=4.12MiB triediffs=21.07MiB triedirty=512.00MiB`
  );
}

export const gethLines = (from: number, count: number): string[] =>
  Array.from({ length: count }, (_, n) => gethLine(from + n));
