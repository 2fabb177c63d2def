import { isDeepStrictEqual } from 'node:util';
import type { DataFilter } from './types.ts';

/** The value at a path; own properties only, so that nothing inherited can be asked for. A key with dots in it wins. */
function valueAt(data: unknown, path: string, parts: readonly string[]): unknown {
  const own = (value: unknown, key: string): unknown =>
    typeof value === 'object' && value !== null && Object.hasOwn(value, key)
      ? (value as Record<string, unknown>)[key]
      : undefined;
  const direct = own(data, path);
  return direct === undefined && parts.length > 1 ? parts.reduce(own, data) : direct;
}

/**
 * Field equality on data [WS-1]: every path must be there and equal, structurally. Dotted paths reach into objects.
 * @returns undefined where there is nothing to filter by
 */
export function compileFilter(
  filters: Readonly<Record<string, unknown>> | null | undefined,
): DataFilter | undefined {
  const wanted = Object.entries(filters ?? {}).map(([path, value]) => ({
    path,
    parts: path.split('.'),
    value,
  }));
  if (wanted.length === 0) return undefined;
  return (data) =>
    wanted.every(({ path, parts, value }) => isDeepStrictEqual(valueAt(data, path, parts), value));
}

/** True where any of them passes; undefined (everything passes) where one is undefined. */
export function anyFilter(filters: readonly (DataFilter | undefined)[]): DataFilter | undefined {
  const [first] = filters;
  if (filters.length === 1) return first;
  if (filters.includes(undefined)) return undefined;
  return (data) => filters.some((filter) => filter?.(data));
}
