import type { StreamBatch } from './types.ts';

/** One entry of a stream as Redis gives it: id, and field names and values in turn. */
export type RawEntry = [string, string[]];

export function readBatch([, fields]: RawEntry): StreamBatch {
  const [, epoch = '', , first = '0', , count = '0', , body = '{"entries":[]}', , cursor = ''] = fields;
  return { epoch, firstSeq: Number(first), count: Number(count), body, cursor };
}
