import type { z } from 'zod';
import type { unsubscribeLogsSchema } from '../../../shared/events.ts';
import { allowedUnit, requireSession } from '../connection.ts';
import type { Handler } from './types.ts';

/** `unsubscribe_logs`: also ends a subscription that is still being set up. Not being subscribed is no error. */
export const unsubscribeLogs: Handler<z.output<typeof unsubscribeLogsSchema>> = (
  deps,
  connection,
  request,
) => {
  const unit = allowedUnit(requireSession(connection), deps.units, request.service);
  const entry = connection.logs.get(unit);
  if (entry) {
    entry.cancelled = true;
    entry.viewer?.stop();
    connection.logs.delete(unit);
  }
  return {};
};
