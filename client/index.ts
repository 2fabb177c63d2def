/** The Tailwire client for browsers and Node, without React. */
export type { BackoffOptions } from './backoff.ts';
export type { Answer, ConnectionState, ConnectionStatus, GatewaySocket } from './connection.ts';
export { type GatewayError, GatewayRequestError, isSessionError, type LocalErrorCode } from './errors.ts';
export { createGatewayClient, type GatewayClient, type GatewayOptions } from './gateway.ts';
export {
  config,
  type DownloadQuery,
  downloadLogs,
  downloadUrl,
  type HttpOptions,
  login,
  logout,
  session,
} from './http.ts';
export type { LevelCounts } from './log-buffer.ts';
export {
  type CompiledFilter,
  compileFilter,
  isFiltering,
  type LogFilter,
  serverFilter,
} from './log-filter.ts';
export { entryLines, foldGroups, type LogFold, type LogRow } from './log-groups.ts';
export { completeEntry, type GapReason, type LogGapItem, type LogItem, type LogLine } from './log-item.ts';
export type { LogStream, LogStreamOptions, LogStreamSnapshot, LogStreamStatus } from './log-stream.ts';
export { createLogView, type LogView, type LogViewSnapshot } from './log-view.ts';
export {
  createNexusClient,
  type NexusClient,
  type NexusError,
  type NexusOptions,
  type NexusState,
} from './nexus.ts';
export type { NexusFilters, NexusListener, NexusMessage } from './nexus-channels.ts';
export type { NexusWebSocket } from './nexus-socket.ts';
export type { OlderSearch } from './older-search.ts';
export type { StatusCheck, StatusFeed, StatusSnapshot } from './status-feed.ts';
