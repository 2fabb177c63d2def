import type { z } from 'zod';
import type { HistoryAck, logHistorySchema } from '../../../shared/events.ts';
import { allowedUnit, requireSession } from '../connection.ts';
import type { Handler } from './types.ts';

/** `log_history` [SIO-5]: one page, oldest first; reading stops when the client goes away or its session ends. */
export const logHistory: Handler<
  z.output<typeof logHistorySchema>,
  Omit<Extract<HistoryAck, { ok: true }>, 'ok'>
> = async (deps, connection, request) => {
  const session = requireSession(connection);
  const unit = allowedUnit(session, deps.units, request.service);
  await deps.prove(session, connection.address);
  if (!connection.socket.connected) return { entries: [], hasMore: true };
  const read = new AbortController();
  connection.reads.add(read);
  try {
    return await deps.logs.history(session, unit, request, read.signal);
  } finally {
    connection.reads.delete(read);
  }
};
