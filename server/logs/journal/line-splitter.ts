/**
 * Longest line of journalctl output kept whole, in bytes. A message of 1 MiB of control bytes is about 4 MiB of JSON;
 * beyond this only head and tail are kept, so that the position survives and memory stays bounded.
 */
export const LINE_MAX = 8_388_608;
const HEAD_KEPT = 65_536;
const TAIL_KEPT = 4_096;

/**
 * Cuts a byte stream into lines at newline bytes, so that a character split between two chunks stays whole.
 * A line over the limit comes out as its head and tail only (`onOversize` tells its size in bytes).
 */
export function createLineSplitter(limit = LINE_MAX) {
  let parts: Buffer[] = [];
  let size = 0;

  const take = (last: Buffer): string => {
    const whole = parts.length === 0 ? last : Buffer.concat([...parts, last]);
    parts = [];
    size = 0;
    return whole.toString('utf8');
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
          const whole = Buffer.concat(parts);
          parts = [Buffer.concat([whole.subarray(0, HEAD_KEPT), whole.subarray(-TAIL_KEPT)])];
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
