/** Name of the address parameter that holds the id of a line. */
export const LINE_PARAM = 'line';

/** The address that opens this page with a line and what stands around it. Filters are not part of it: they may hide it. */
export function lineLink(service: string, id: string): string {
  const url = new URL(window.location.href);
  url.search = '';
  url.searchParams.set('service', service);
  url.searchParams.set(LINE_PARAM, id);
  return url.href;
}
