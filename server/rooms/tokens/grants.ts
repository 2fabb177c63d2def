import { AppError } from '../../core/errors.ts';
import type { Grant } from '../types.ts';
import type { Jwts } from './jwt.ts';
import type { RoomTokens } from './room-token.ts';

export interface Grants {
  /** The rights in a token of either kind: a JWT has three parts, a room token two. @throws AppError invalid_token */
  read(token: string): Promise<Grant>;
}

/** @param deps null: tokens of that kind are off and none is valid */
export function createGrants(deps: { jwts: Jwts | null; roomTokens: RoomTokens | null }): Grants {
  return {
    async read(token) {
      const grant =
        token.split('.', 4).length === 3 ? await deps.jwts?.verify(token) : deps.roomTokens?.grant(token);
      if (!grant) throw new AppError('invalid_token');
      return grant;
    },
  };
}
