import type { z } from 'zod';
import type { joinRoomSchema } from '../../../shared/events.ts';
import { checkRoomName } from '../../rooms/room-name.ts';
import { requireRoomRight } from '../room-member.ts';
import type { Handler } from './types.ts';

/** `join_room` [SIO-10]. A valid token counts for the connection from here on, also where it does not open this room. */
export const joinRoom: Handler<z.output<typeof joinRoomSchema>> = async (deps, connection, request) => {
  const room = checkRoomName(request.room);
  const { token } = request;
  const grant = token ? await deps.grants.read(token, connection.address) : null;
  if (!connection.socket.connected) return {};
  if (token && grant) connection.member.rights.add(token, grant);
  requireRoomRight(deps, connection, (one) => one.mayJoin(room));
  const { hub } = deps;
  const resumed = request.after ? await hub.resume(room, connection.member, request.after) : null;
  if (!resumed) hub.join(room, connection.member);
  // Whoever has the answer is counted on every instance.
  await hub.announced();
  return resumed ?? {};
};
