'use client';

/** React hooks over the Tailwire client. React 18 or 19 is a peer; nothing of Next.js is needed. */
export { useGateway } from './context.ts';
export { TailwireProvider, type TailwireProviderProps } from './provider.ts';
export { type UseClientLogs, type UseClientLogsOptions, useClientLogs } from './use-client-logs.ts';
export { type UseNodeStatus, type UseNodeStatusOptions, useNodeStatus } from './use-node-status.ts';
export { type UseWebSocket, useWebSocket } from './use-web-socket.ts';
