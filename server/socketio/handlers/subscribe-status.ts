import type { z } from 'zod';
import { STATUS_INTERVAL_DEFAULT, type subscribeStatusSchema } from '../../../shared/events.ts';
import { AppError } from '../../core/errors.ts';
import { requireSession } from '../connection.ts';
import type { Handler } from './types.ts';

/** `subscribe_status` [SIO-6]; a second call only changes the interval. */
export const subscribeStatus: Handler<z.output<typeof subscribeStatusSchema>> = async (
  deps,
  connection,
  request,
) => {
  const session = requireSession(connection);
  connection.statusInterval = request.interval ?? STATUS_INTERVAL_DEFAULT;
  if (!connection.status) await deps.prove(session, connection.address);
  // The client may have unsubscribed, gone, or asked for another interval meanwhile.
  const interval = connection.statusInterval;
  if (interval === null) return {};
  if (connection.status) {
    connection.status.setInterval(interval);
    return {};
  }
  const { socket } = connection;
  connection.status = deps.status.subscribe({
    target: session.target,
    services: session.units ?? deps.units,
    interval,
    onUpdate: (list) => socket.emit('status_update', list),
    onTransition: (transition) => socket.emit('status_transition', transition),
    onError: (payload) => connection.fail(new AppError(payload.code)),
  });
  return {};
};
