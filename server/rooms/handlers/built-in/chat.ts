import { BaseRoomHandler } from '../base-room-handler.ts';
import type { PayloadRejection, RoomPayload } from '../types.ts';

/** Messages among the members. A message has to say something. */
export default class ChatRoomHandler extends BaseRoomHandler {
  override validateMessage(payload: RoomPayload): PayloadRejection | null {
    const { content } = payload;
    if (content === undefined || content === null)
      return { error: 'content is missing', code: 'invalid_request' };
    if (typeof content === 'string' && content.trim() === '') {
      return { error: 'content is empty', code: 'invalid_request' };
    }
    return null;
  }
}
