import { parseCookie } from 'cookie';

/** Name of the session cookie, as in the original front end [SES-2]. */
export const SESSION_COOKIE = 'ssh_session';

/** Session tokens that a request brings, in the order they count: cookie, then `Authorization: Bearer`. */
export function sessionTokens(headers: {
  cookie?: string | undefined;
  authorization?: string | undefined;
}): string[] {
  const cookie = headers.cookie === undefined ? undefined : parseCookie(headers.cookie)[SESSION_COOKIE];
  const bearer = /^Bearer +(\S+)$/i.exec(headers.authorization ?? '')?.[1];
  return [cookie, bearer].filter((token): token is string => token !== undefined && token !== '');
}
