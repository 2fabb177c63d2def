import { MAX_TOKEN } from '../../../shared/events.ts';
import { AppError } from '../../core/errors.ts';
import type { Connection } from '../connection.ts';
import type { HandlerDeps } from './types.ts';

/**
 * `authenticate(token, ack?)` [SIO-1]: the positional form of the original clients. The same token again on an
 * authenticated connection is fine; another one is refused and the connection keeps its session.
 * @throws AppError invalid_session, token_mismatch, store_unavailable
 */
export async function authenticate(deps: HandlerDeps, connection: Connection, token: unknown): Promise<void> {
  if (typeof token !== 'string' || token === '' || token.length > MAX_TOKEN)
    throw new AppError('invalid_session');
  if (connection.login) {
    if (connection.login.token !== token) throw new AppError('token_mismatch');
    return;
  }
  const session = await deps.sessions.get(token);
  if (!session) throw new AppError('invalid_session');
  // Two calls may cross: the first to get here decides whose connection this is.
  const login = connection.login as Connection['login'];
  if (!login) deps.adopt(connection, { token, session });
  else if (login.token !== token) throw new AppError('token_mismatch');
}
