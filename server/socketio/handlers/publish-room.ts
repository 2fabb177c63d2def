import type { z } from 'zod';
import type { publishRoomSchema } from '../../../shared/events.ts';
import { checkRoomName } from '../../rooms/room-name.ts';
import { requireRoomRight } from '../room-member.ts';
import type { Handler } from './types.ts';

/** `publish_room` [SIO-10]: to everybody in the room but the publisher, who need not be in it. */
export const publishRoom: Handler<z.output<typeof publishRoomSchema>> = (deps, connection, request) => {
  const room = checkRoomName(request.room);
  const { from } = requireRoomRight(deps, connection, (grant) => grant.mayPublish(room));
  deps.hub.publish(room, { from, data: request.data, kind: 'client', origin: connection.member.id });
  return {};
};
