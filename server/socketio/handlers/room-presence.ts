import type { z } from 'zod';
import type { RoomPresence, roomPresenceSchema } from '../../../shared/events.ts';
import { checkRoomName } from '../../rooms/room-name.ts';
import { requireRoomRight } from '../room-member.ts';
import type { Handler } from './types.ts';

/** `room_presence` [SIO-10]: who is in a room, as an event and in the ack. */
export const roomPresence: Handler<z.output<typeof roomPresenceSchema>, RoomPresence> = async (
  deps,
  connection,
  request,
) => {
  const room = checkRoomName(request.room);
  requireRoomRight(deps, connection, (grant) => grant.mayJoin(room));
  const { count, who } = await deps.hub.presence(room);
  connection.socket.emit('room_presence', { room, count, who });
  return { room, count, who };
};
