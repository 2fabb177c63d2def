/** What room handlers of your own are made of: `import { BaseRoomHandler } from 'tailwire/rooms'`. */
export { BaseRoomHandler } from './base-room-handler.ts';
export type {
  AuthPayload,
  AuthRejection,
  BroadcastContext,
  ControlContext,
  PastMessage,
  PayloadRejection,
  RoomHandler,
  RoomPayload,
  RoomRequest,
  RoomRoute,
  RoomRouteAnswer,
  RoomRouteRequest,
  RoomSocket,
} from './types.ts';
