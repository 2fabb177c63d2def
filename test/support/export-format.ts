/**
 * An entry in the Journal Export Format as journalctl writes it: text where it is printable and of one line, else the
 * name, a newline, the length in 64 bits and the bytes. An array is a repeated field.
 */
export function exportEntry(fields: Readonly<Record<string, string | Buffer | (string | Buffer)[]>>): Buffer {
  const parts: Buffer[] = [];
  for (const [name, values] of Object.entries(fields)) {
    for (const value of Array.isArray(values) ? values : [values]) parts.push(exportField(name, value));
  }
  return Buffer.concat([...parts, Buffer.from('\n')]);
}

/** Control characters but for the tab: what journalctl writes as bytes. */
// biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for
const UNPRINTABLE = /[\x00-\x08\x0a-\x1f\x7f-\x9f]/;

function exportField(name: string, value: string | Buffer): Buffer {
  if (typeof value === 'string' && !UNPRINTABLE.test(value)) return Buffer.from(`${name}=${value}\n`);
  const bytes = Buffer.from(value);
  const size = Buffer.alloc(8);
  size.writeBigUInt64LE(BigInt(bytes.length));
  return Buffer.concat([Buffer.from(`${name}\n`), size, bytes, Buffer.from('\n')]);
}
