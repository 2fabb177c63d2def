import type { z } from 'zod';
import type { leaveRoomSchema } from '../../../shared/events.ts';
import type { Handler } from './types.ts';

/** `leave_room` [SIO-10]. Not being in the room is no error. */
export const leaveRoom: Handler<z.output<typeof leaveRoomSchema>> = async (deps, connection, { room }) => {
  deps.hub.leave(room, connection.member);
  await deps.hub.announced();
  return {};
};
