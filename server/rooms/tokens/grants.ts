import { AppError } from '../../core/errors.ts';
import type { Grant } from '../types.ts';
import type { Jwts } from './jwt.ts';
import type { RoomClaims, RoomTokens } from './room-token.ts';

export interface Grants {
  /**
   * The rights in a token of either kind: a JWT has three parts, a room token two.
   * @param address of the client that shows it
   * @throws AppError invalid_token, forbidden (the room's handler does not let its bearer in)
   */
  read(token: string, address: string): Promise<Grant>;
}

/**
 * @param deps.jwts null: tokens of that kind are off and none is valid; so for `roomTokens`
 * @param deps.vouch asks the handler of a token's room, as its own door does. @throws AppError forbidden
 */
export function createGrants(deps: {
  jwts: Jwts | null;
  roomTokens: RoomTokens | null;
  vouch(claims: RoomClaims, address: string): Promise<void>;
}): Grants {
  const { jwts, roomTokens } = deps;
  return {
    async read(token, address) {
      if (token.split('.', 4).length === 3) {
        if (!jwts) throw new AppError('invalid_token');
        return jwts.verify(token);
      }
      if (!roomTokens) throw new AppError('invalid_token');
      await deps.vouch(roomTokens.verify(token), address);
      return roomTokens.grant(token);
    },
  };
}
