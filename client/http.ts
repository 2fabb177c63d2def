import type { DashboardConfig, LoginAnswer, LoginRequest, SessionInfo } from '../shared/http.ts';
import { GatewayRequestError, localError, readError } from './errors.ts';

export interface HttpOptions {
  /** Base URL of the gateway; the page's own origin unless given. */
  url?: string;
  /** Session token; without one the browser's cookie is used. */
  token?: string | undefined;
  /** For tests and old hosts; the global `fetch` unless given. */
  fetch?: typeof fetch;
}

/** One request, in ms: a login may take an SSH handshake with a slow host. */
const TIMEOUT = 45_000;

/**
 * Logs in to a host over SSH [SES-2], or opens the demo node with `{demo: true}`. In a browser on the gateway's own
 * origin the cookie is set as well, so that the token need not be kept.
 *
 * @throws GatewayRequestError, as all functions here
 */
export async function login(request: LoginRequest, options: HttpOptions = {}): Promise<LoginAnswer> {
  return (await send('POST', '/api/sessions', options, request)) as LoginAnswer;
}

/** Who is logged in; null where nobody is. */
export async function session(options: HttpOptions = {}): Promise<SessionInfo | null> {
  try {
    return (await send('GET', '/api/session', options)) as SessionInfo;
  } catch (error) {
    if (error instanceof GatewayRequestError && error.status === 401) return null;
    throw error;
  }
}

/** Ends the session on all its connections. Logging out twice is no error. */
export async function logout(options: HttpOptions = {}): Promise<void> {
  try {
    await send('DELETE', '/api/session', options);
  } catch (error) {
    if (!(error instanceof GatewayRequestError && error.status === 401)) throw error;
  }
}

/** What a dashboard needs to know at run time. */
export async function config(options: HttpOptions = {}): Promise<DashboardConfig> {
  return (await send('GET', '/config.json', options)) as DashboardConfig;
}

/** Query of a download [LOG-8]. */
export interface DownloadQuery {
  since?: string;
  until?: string;
  level?: string;
  grep?: string;
  format?: 'ndjson' | 'txt';
}

/** Address of the download of a service's lines; needs the cookie, or use `downloadLogs`. */
export function downloadUrl(service: string, query: DownloadQuery = {}, url = ''): string {
  const params = new URLSearchParams(Object.entries(query).filter(([, value]) => value !== ''));
  const text = params.toString();
  return `${trimSlash(url)}/api/logs/${encodeURIComponent(service)}${text === '' ? '' : `?${text}`}`;
}

/** Downloads a service's lines with the token in a header, for pages that have no cookie of the gateway. */
export async function downloadLogs(
  service: string,
  query: DownloadQuery = {},
  options: HttpOptions = {},
): Promise<Blob> {
  const response = await request('GET', downloadUrl(service, query), options);
  return response.blob();
}

async function send(method: string, path: string, options: HttpOptions, body?: unknown): Promise<unknown> {
  const response = await request(method, path, options, body);
  if (response.status === 204) return undefined;
  try {
    return await response.json();
  } catch {
    throw new GatewayRequestError(localError('bad_answer'), response.status);
  }
}

async function request(
  method: string,
  path: string,
  options: HttpOptions,
  body?: unknown,
): Promise<Response> {
  const { token, url = '', fetch: send = fetch } = options;
  const headers: Record<string, string> = { Accept: 'application/json' };
  if (body !== undefined) headers['Content-Type'] = 'application/json';
  if (token !== undefined) headers.Authorization = `Bearer ${token}`;
  let response: Response;
  try {
    response = await send(`${trimSlash(url)}${path}`, {
      method,
      headers,
      credentials: token === undefined ? 'include' : 'omit',
      signal: AbortSignal.timeout(TIMEOUT),
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
  } catch (cause) {
    const timedOut = cause instanceof Error && cause.name === 'TimeoutError';
    throw new GatewayRequestError(localError(timedOut ? 'timeout' : 'network'));
  }
  if (response.ok) return response;
  const failure: unknown = await response.json().catch(() => null);
  const error = readError((failure as { error?: unknown } | null)?.error, 'bad_answer');
  throw new GatewayRequestError(error, response.status);
}

function trimSlash(url: string): string {
  return url.endsWith('/') ? url.slice(0, -1) : url;
}
