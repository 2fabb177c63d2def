import type { z } from 'zod';
import { type subscribeLogsSchema, TAIL_DEFAULT } from '../../../shared/events.ts';
import { AppError } from '../../core/errors.ts';
import { sleep } from '../../core/sleep.ts';
import { allowedUnit, requireSession, SUBSCRIPTIONS_MAX } from '../connection.ts';
import { createLogSink } from '../log-sink.ts';
import type { Handler } from './types.ts';

/**
 * A client that wants an answer gets one within this time, in ms: then either it is subscribed or it is not. Clients
 * without ack stay subscribed while the host is tried again and again.
 */
const ANSWER_MS = 10_000;

/** `subscribe_logs` [SIO-2] [SIO-4]. A repeated subscribe changes nothing and is answered as the first. */
export const subscribeLogs: Handler<z.output<typeof subscribeLogsSchema>> = async (
  deps,
  connection,
  request,
  { wantsAck },
) => {
  const session = requireSession(connection);
  const { service } = request;
  const unit = allowedUnit(session, deps.units, service);
  const running = connection.logs.get(unit);
  if (running) return { recovered: (await running.recovered) ?? true };
  if (connection.logs.size >= SUBSCRIPTIONS_MAX) throw new AppError('too_many_streams');

  const entry: NonNullable<ReturnType<typeof connection.logs.get>> = {
    viewer: null,
    cancelled: false,
    recovered: null,
  };
  connection.logs.set(unit, entry);
  const forget = () => {
    entry.viewer?.stop();
    if (connection.logs.get(unit) === entry) connection.logs.delete(unit);
  };
  try {
    await deps.prove(session, connection.address);
    if (entry.cancelled) return { recovered: true };
    const sink = createLogSink(connection, { service, batch: request.batch === true });
    const start = { ...request, tail: request.tail ?? TAIL_DEFAULT };
    entry.viewer = deps.logs.subscribe(session, unit, start, sink);
    const { started } = entry.viewer;
    entry.recovered = started.then(
      ({ recovered }) => recovered,
      () => true,
    );
    if (!wantsAck) {
      started.catch(forget);
      return { recovered: true };
    }
    const patience = new AbortController();
    const late = sleep(ANSWER_MS, patience.signal).then(() => null);
    const answer = await Promise.race([started, late]).finally(() => patience.abort());
    if (entry.cancelled) return { recovered: true };
    if (!answer) throw new AppError('host_unreachable');
    return { recovered: answer.recovered };
  } catch (error) {
    if (entry.cancelled) return { recovered: true };
    forget();
    throw error;
  }
};
