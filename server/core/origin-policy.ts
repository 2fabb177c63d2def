/** The headers the policy looks at, as Node delivers them. */
export interface OriginHeaders {
  origin?: string | string[] | undefined;
  host?: string | undefined;
  'sec-fetch-site'?: string | string[] | undefined;
}

/** True: the request may change something or open a connection. */
export type OriginPolicy = (headers: OriginHeaders) => boolean;

/**
 * The one Origin policy for state-changing routes and upgrades [WS-5] [HTTP-2]. In are: requests without Origin that no
 * foreign page caused (programs; a browser's own navigation or same-origin request, told by Sec-Fetch-Site of the Fetch
 * Metadata specification), the allowed origins, and pages that come from the host the request was sent to. The opaque
 * origin `null` (sandboxed frames, local files) is out: anybody can have it.
 *
 * @param options.allowed origins as `URL.origin` writes them
 */
export function createOriginPolicy(options: { allowed: readonly string[] }): OriginPolicy {
  const allowed = new Set(options.allowed);
  return (headers) => {
    const { origin, host } = headers;
    if (origin === undefined) {
      const site = headers['sec-fetch-site'];
      return site === undefined || site === 'same-origin' || site === 'none';
    }
    if (typeof origin !== 'string' || !URL.canParse(origin)) return false;
    const url = new URL(origin);
    // An origin has no path: what is more than an origin was not written by a browser.
    if (url.origin === 'null' || url.origin !== origin.toLowerCase()) return false;
    return allowed.has(url.origin) || isSameHost(url, host);
  };
}

/** Compares host and port; the scheme may differ where a proxy in front ends TLS. */
function isSameHost(origin: URL, host: string | undefined): boolean {
  if (!host || !/^https?:$/.test(origin.protocol)) return false;
  const requested = `${origin.protocol}//${host}`;
  return URL.canParse(requested) && new URL(requested).origin === origin.origin;
}
