import type { ErrorRequestHandler, RequestHandler, Response } from 'express';
import type { HttpErrorBody } from '../../shared/http.ts';
import { AppError } from '../core/errors.ts';
import type { Metrics } from '../core/metrics.ts';
import type { Logger } from '../core/types.ts';
import { requestIdOf, routeOf } from './request-context.ts';

/** Writes an error in the one form of [HTTP-2]; `instead` replaces its text or status. */
export function sendError(
  res: Response,
  error: AppError,
  instead: { message?: string; status?: number } = {},
): void {
  const { code, message, hint } = { ...error.toPayload(), ...instead };
  const body: HttpErrorBody = { error: { code, message, hint, requestId: requestIdOf(res) } };
  if (error.retryAfterMs !== undefined)
    res.set('Retry-After', String(Math.max(1, Math.ceil(error.retryAfterMs / 1000))));
  res
    .status(instead.status ?? error.status)
    .set('Cache-Control', 'no-store')
    .json(body);
}

/** Any path that no route has answered. */
export function notFound(): RequestHandler {
  return () => {
    throw new AppError('not_found');
  };
}

/** The last handler: turns whatever was thrown into an answer that says nothing about the inside. */
export function errorHandler(deps: { logger: Logger; metrics: Metrics }): ErrorRequestHandler {
  return (thrown: unknown, req, res, _next) => {
    const error = toHttpError(thrown);
    deps.metrics.count('tailwire_errors_total', { code: error.code });
    const fields = { requestId: requestIdOf(res), method: req.method, route: routeOf(req), code: error.code };
    if (error.code === 'internal')
      deps.logger.error('Request failed', { ...fields, error: error.cause ?? error });
    else deps.logger.debug('Request refused', { ...fields, reason: error.detail });
    if (res.headersSent) res.destroy();
    else sendError(res, error);
  };
}

/** Errors of body-parser and the router carry a status and a type instead of a code of ours. */
function toHttpError(thrown: unknown): AppError {
  if (thrown instanceof AppError) return thrown;
  const { status, type } = isRecord(thrown) ? thrown : {};
  if (type === 'entity.parse.failed')
    return new AppError('invalid_request', { detail: 'the body is not valid JSON' });
  if (status === 413) return new AppError('payload_too_large');
  if (status === 404) return new AppError('not_found');
  if (typeof status === 'number' && status >= 400 && status < 500) return new AppError('invalid_request');
  return new AppError('internal', { cause: thrown });
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null;
}
