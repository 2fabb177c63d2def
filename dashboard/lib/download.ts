import { type DownloadQuery, downloadLogs, downloadUrl, type LogFilter, serverFilter } from 'tailwire/client';
import { gatewayUrl, httpOptions } from './gateway.ts';

/** What a download asks for: a stretch of time, a format, and the filter as far as the gateway knows it. */
export function downloadQuery(hours: number, format: 'ndjson' | 'txt', filter: LogFilter): DownloadQuery {
  const since = new Date(Date.now() - hours * 3_600_000).toISOString();
  return { since, format, ...serverFilter(filter) };
}

/** Starts a download: a plain link where the cookie goes along, a fetched file where the token must be sent. */
export async function startDownload(service: string, query: DownloadQuery): Promise<void> {
  const link = document.createElement('a');
  link.download = `${service}.${query.format ?? 'txt'}`;
  if (gatewayUrl === undefined) {
    link.href = downloadUrl(service, query);
    link.click();
    return;
  }
  link.href = URL.createObjectURL(await downloadLogs(service, query, httpOptions()));
  link.click();
  URL.revokeObjectURL(link.href);
}
