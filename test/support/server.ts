import { io, type Socket } from 'socket.io-client';
import { createApp } from '../../server/app.ts';
import { loadConfig } from '../../server/config.ts';
import { createSilentLogger } from '../../server/core/logger.ts';
import type { Logger } from '../../server/core/types.ts';
import type { ClientToServerEvents, ServerToClientEvents } from '../../shared/events.ts';
import type { LoginAnswer } from '../../shared/http.ts';
import { atEnd } from './at-end.ts';
import type { TestHost } from './lab.ts';

export type ClientSocket = Socket<ServerToClientEvents, ClientToServerEvents>;

/** A whole server in this process, listening on a free port of loopback. */
export interface TestServer {
  readonly url: string;
  /** Logs in over HTTP. @throws Error with status and body where the answer is not 201 */
  login(body: object): Promise<LoginAnswer>;
  loginTo(host: TestHost, user?: keyof TestHost['users']): Promise<LoginAnswer>;
  /** A client of the given form, not yet connected; closed with the server. */
  client(options?: Parameters<typeof io>[1]): ClientSocket;
  stop(): Promise<void>;
}

/** Starts a server with settings as they would stand in the environment. */
export async function startServer(
  env: Record<string, string> = {},
  options: { logger?: Logger } = {},
): Promise<TestServer> {
  const loaded = loadConfig({ HOST: '127.0.0.1', PORT: '0', NODE_ENV: 'test', ...env });
  if (!loaded.ok) throw new Error(loaded.problems.join('\n'));
  const app = await createApp(loaded.config, options.logger ?? createSilentLogger());
  const { url } = await app.listen();
  const clients = new Set<ClientSocket>();
  let stopped: Promise<void> | undefined;

  const server: TestServer = {
    url,
    async login(body) {
      const response = await fetch(`${url}/api/sessions`, {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify(body),
      });
      const text = await response.text();
      if (response.status !== 201) throw new Error(`${response.status} ${text}`);
      return JSON.parse(text) as LoginAnswer;
    },
    loginTo(host, user = 'ethnode') {
      const { username, password } = host.users[user];
      return server.login({
        host: host.address,
        port: host.port,
        username,
        authMethod: 'password',
        password,
      });
    },
    client(clientOptions) {
      const socket: ClientSocket = io(url, {
        transports: ['websocket'],
        forceNew: true,
        autoConnect: false,
        ...clientOptions,
      });
      clients.add(socket);
      return socket;
    },
    stop() {
      stopped ??= (async () => {
        await app.stop();
        for (const socket of clients) socket.disconnect();
      })();
      return stopped;
    },
  };
  atEnd(server.stop);
  return server;
}
