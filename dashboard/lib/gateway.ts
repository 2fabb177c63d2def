import type { HttpOptions } from 'tailwire/client';

/**
 * Where the gateway is. Served by the gateway itself the dashboard needs no address and the session cookie does the
 * rest. Built for another host (NEXT_PUBLIC_WS_URL is set at build time) the browser would not send that cookie, so the
 * page keeps the token for as long as its tab is open and sends it itself.
 */
const configuredUrl =
  process.env.NEXT_PUBLIC_WS_URL ??
  // `npm run dev` serves the pages on a port of their own, beside the gateway.
  (process.env.NODE_ENV === 'development' ? 'http://localhost:3001' : undefined);
const TOKEN_KEY = 'tailwire.token';

/** Base URL of the gateway; undefined: this page's own origin. */
export const gatewayUrl: string | undefined =
  configuredUrl === undefined || configuredUrl === '' ? undefined : configuredUrl.replace(/^ws/, 'http');

/** The token of this tab; undefined where the cookie is used, or nobody is logged in. */
export function readToken(): string | undefined {
  if (gatewayUrl === undefined) return undefined;
  return sessionStorage.getItem(TOKEN_KEY) ?? undefined;
}

/** Keeps the token of a new login, where the cookie cannot. */
export function keepToken(token: string): void {
  if (gatewayUrl !== undefined) sessionStorage.setItem(TOKEN_KEY, token);
}

export function forgetToken(): void {
  if (gatewayUrl !== undefined) sessionStorage.removeItem(TOKEN_KEY);
}

/** Settings of an HTTP request to the gateway. */
export function httpOptions(): HttpOptions {
  return { ...(gatewayUrl === undefined ? {} : { url: gatewayUrl }), token: readToken() };
}
