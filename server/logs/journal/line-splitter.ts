/**
 * Longest line of journalctl output kept whole, in bytes. A message of 1 MiB of control bytes is about 4 MiB of JSON;
 * beyond this only head and tail are kept, so that the position survives and memory stays bounded.
 */
export const LINE_MAX = 4_718_592;
const HEAD_KEPT = 65_536;
const TAIL_KEPT = 4_096;

const shortened = (whole: Buffer) =>
  Buffer.concat([whole.subarray(0, HEAD_KEPT), whole.subarray(-TAIL_KEPT)]);

/**
 * Cuts a byte stream into lines at newline bytes, so that a character split between two chunks stays whole.
 * A line over the limit comes out as its first 64 KiB and last 4 KiB only, however the bytes were cut into chunks.
 */
export function createLineSplitter(limit = LINE_MAX) {
  let parts: Buffer[] = [];
  let size = 0;
  /** The line held back has been over the limit already. */
  let cut = false;

  const take = (last: Buffer): string => {
    const whole = parts.length === 0 ? last : Buffer.concat([...parts, last]);
    const line = cut || whole.length > limit ? shortened(whole) : whole;
    parts = [];
    size = 0;
    cut = false;
    return line.toString('utf8');
  };

  return {
    /** The complete lines that this chunk ends, without their newlines. */
    push(chunk: Buffer): string[] {
      const lines: string[] = [];
      let from = 0;
      for (let at = chunk.indexOf(10); at !== -1; at = chunk.indexOf(10, from)) {
        lines.push(take(chunk.subarray(from, at)));
        from = at + 1;
      }
      if (from < chunk.length) {
        parts.push(chunk.subarray(from));
        size += chunk.length - from;
        if (size > limit) {
          parts = [shortened(Buffer.concat(parts))];
          cut = true;
          // What follows still counts against the limit from the kept size on: each trim is linear in what came in.
          size = HEAD_KEPT + TAIL_KEPT;
        }
      }
      return lines;
    },
    /** Bytes held back because their line has not ended yet. */
    pending: () => size,
  };
}
