import type { z } from 'zod';
import { AppError } from '../core/errors.ts';

/** Complaints shown at once. */
const ISSUES_MAX = 3;

/**
 * Checks input against a schema.
 * @throws AppError invalid_request naming the faulty fields; zod's messages say what was expected, never what was sent
 */
export function parseInput<S extends z.ZodType>(schema: S, input: unknown): z.output<S> {
  const result = schema.safeParse(input);
  if (result.success) return result.data;
  const issues = result.error.issues.slice(0, ISSUES_MAX);
  const detail = issues.map((issue) => `${issue.path.join('.') || 'request'}: ${issue.message}`).join('; ');
  throw new AppError('invalid_request', { detail: detail.slice(0, 300) });
}
