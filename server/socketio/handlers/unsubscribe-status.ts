import { requireSession } from '../connection.ts';
import type { Handler } from './types.ts';

/** `unsubscribe_status`: also ends a subscription that is still being set up. Not being subscribed is no error. */
export const unsubscribeStatus: Handler<undefined> = (_deps, connection) => {
  requireSession(connection);
  connection.status?.unsubscribe();
  connection.status = null;
  connection.statusInterval = null;
  return {};
};
