import type { z } from 'zod';
import { type subscribeLogsSchema, TAIL_DEFAULT } from '../../../shared/events.ts';
import { AppError } from '../../core/errors.ts';
import { sleep } from '../../core/sleep.ts';
import type { Viewer } from '../../logs/viewer.ts';
import type { Session } from '../../sessions/types.ts';
import {
  allowedUnit,
  type Connection,
  type LogSubscription,
  requireSession,
  SUBSCRIPTIONS_MAX,
} from '../connection.ts';
import { createSubscription } from '../log-subscription.ts';
import type { Handler, HandlerDeps } from './types.ts';

/**
 * A client that wants an answer gets one within this time, in ms: then either it is subscribed or it is not. Clients
 * without ack stay subscribed while the host is tried again and again.
 */
const ANSWER_MS = 10_000;

/** Who unsubscribes meanwhile gives the slot back when it comes. */
const UNENDING = new AbortController().signal;

/** Starts a subscription; whoever asks again meanwhile waits for the same one. @throws AppError too_many_streams */
function begin(
  deps: HandlerDeps,
  connection: Connection,
  session: Session,
  unit: string,
  request: z.output<typeof subscribeLogsSchema>,
): LogSubscription {
  if (connection.logs.size >= SUBSCRIPTIONS_MAX) throw new AppError('too_many_streams');
  async function open(): Promise<Viewer | null> {
    await deps.prove(session, connection.address);
    if (entry.cancelled) return null;
    const start = { ...request, tail: request.tail ?? TAIL_DEFAULT };
    // Through a filter the first lines have to be looked for in the journal, which costs as much as a page of history.
    const filtered = Boolean(request.level || request.grep);
    const free = filtered ? await deps.reads.take(session.id, UNENDING) : () => {};
    try {
      entry.viewer = entry.cancelled ? null : deps.logs.subscribe(session, unit, start, entry);
    } finally {
      if (!entry.viewer) free();
    }
    entry.viewer?.started.then(free, free);
    return entry.viewer;
  }
  const { service, batch } = request;
  const entry = createSubscription(connection, { unit, service, batch: batch === true });
  connection.logs.set(unit, entry);
  entry.opened = open();
  return entry;
}

/** `subscribe_logs` [SIO-2] [SIO-4]. A repeated subscribe changes nothing and is answered as the first. */
export const subscribeLogs: Handler<z.output<typeof subscribeLogsSchema>> = async (
  deps,
  connection,
  request,
  { wantsAck },
) => {
  const session = requireSession(connection);
  const unit = allowedUnit(session, deps.units, request.service);
  const entry = connection.logs.get(unit) ?? begin(deps, connection, session, unit, request);
  const forget = () => {
    entry.viewer?.stop();
    if (connection.logs.get(unit) === entry) connection.logs.delete(unit);
  };
  try {
    const viewer = await entry.opened;
    if (!viewer) return { recovered: true };
    if (!wantsAck) return { recovered: true };
    const patience = new AbortController();
    const late = sleep(ANSWER_MS, patience.signal).then(() => null);
    const answer = await Promise.race([viewer.started, late]).finally(() => patience.abort());
    if (entry.cancelled) return { recovered: true };
    if (!answer) throw new AppError('host_unreachable');
    return { recovered: answer.recovered };
  } catch (error) {
    if (entry.cancelled) return { recovered: true };
    forget();
    throw error;
  }
};
