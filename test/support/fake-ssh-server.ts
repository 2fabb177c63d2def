import { once } from 'node:events';
import { createServer, type Socket } from 'node:net';
import ssh2, { type AuthContext, type Connection, type ServerChannel } from 'ssh2';

export interface FakeServer {
  readonly host: '127.0.0.1';
  readonly port: number;
  /** Connections taken so far. */
  readonly connections: number;
  /** Connections open now. */
  readonly open: number;
  stop(): Promise<void>;
}

/** A TCP server on a free port of loopback that does with its connections what a test says. */
export async function startFakeServer(serve: (socket: Socket) => void): Promise<FakeServer> {
  const sockets = new Set<Socket>();
  let connections = 0;
  const server = createServer((socket) => {
    connections += 1;
    sockets.add(socket);
    socket.on('error', () => {});
    socket.on('close', () => sockets.delete(socket));
    // Reads on, or it would not notice the other side closing.
    socket.resume();
    serve(socket);
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('no port');
  return {
    host: '127.0.0.1',
    port: address.port,
    get connections() {
      return connections;
    },
    get open() {
      return sockets.size;
    },
    async stop() {
      for (const socket of sockets) socket.destroy();
      server.close();
      await once(server, 'close');
    },
  };
}

/** Made once: the key of every fake SSH server. */
const hostKey = ssh2.utils.generateKeyPairSync('ed25519').private;

export interface FakeSshBehaviour {
  ident?: string;
  /** Accepts everything where it is not given. */
  onAuth?: (context: AuthContext) => void;
  onReady?: (connection: Connection) => void;
  /** Leaves requests for a channel, or for a command on it, unanswered. */
  ignores?: 'channel' | 'command';
  onExec?: (channel: ServerChannel, command: string) => void;
}

/** An SSH server for what no real sshd would do; where a real one can serve, use `startSshd`. */
export async function startFakeSshServer(behaviour: FakeSshBehaviour): Promise<FakeServer> {
  const server = new ssh2.Server(
    { hostKeys: [hostKey], ident: behaviour.ident ?? 'OpenSSH_9.2p1' },
    (connection) => {
      connection.on('error', () => {});
      connection.on('authentication', behaviour.onAuth ?? ((context) => context.accept()));
      connection.on('ready', () => {
        behaviour.onReady?.(connection);
        connection.on('session', (accept) => {
          if (behaviour.ignores === 'channel') return;
          accept().on('exec', (acceptExec, _reject, { command }) => {
            if (behaviour.ignores === 'command') return;
            const channel = acceptExec();
            channel.on('error', () => {});
            behaviour.onExec?.(channel, command);
          });
        });
      });
    },
  );
  return startFakeServer((socket) => {
    socket.pause();
    server.injectSocket(socket);
  });
}
