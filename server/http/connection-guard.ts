import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import type { ProxyTrust } from '../core/client-address.ts';
import type { StrangerLimits, Strangers } from '../core/strangers.ts';

/**
 * Connections of one address that are neither answered nor upgraded: TLS handshakes, half requests, idle ones. 2000 are
 * the browsers of some 300 people; 5000 are the viewers of an instance that come back at once, while each of which still
 * has to send its upgrade. Either is far from all that an instance has.
 */
export const IDLE_LIMITS: StrangerLimits = { calm: 2000, most: 5000, patienceMs: 3000 };

/** A connection as long as it is not upgraded. */
interface Stay {
  leave(): void;
  idle(): void;
  end(): void;
}

const hasBody = ({ headers }: IncomingMessage): boolean =>
  headers['transfer-encoding'] !== undefined || Number(headers['content-length'] ?? 0) > 0;

/**
 * Bounds the connections of one address that are doing nothing or have not yet said what they want. Proxies that are
 * trusted are left alone: they hold what many clients have.
 */
export function guardConnections(server: Server, deps: { trust: ProxyTrust; strangers: Strangers }): void {
  const { trust, strangers } = deps;
  /** By the peer's end. With TLS a request's socket is another object than the connection's. */
  const stays = new Map<string, Stay>();
  const endOf = ({ remoteAddress, remotePort }: Socket) => `${remoteAddress} ${remotePort}`;

  server.on('connection', (socket: Socket) => {
    const { remoteAddress } = socket;
    if (remoteAddress === undefined || trust(remoteAddress, 0)) return;
    const name = endOf(socket);
    const enter = () => strangers.enter(remoteAddress, () => socket.destroy());
    let leave = enter();
    const stay: Stay = {
      leave: () => leave(),
      idle() {
        leave();
        if (stays.get(name) === stay) leave = enter();
      },
      end() {
        leave();
        if (stays.get(name) === stay) stays.delete(name);
        socket.off('close', stay.end);
      },
    };
    stays.set(name, stay);
    socket.once('close', stay.end);
  });
  server.on('request', (request: IncomingMessage, response: ServerResponse) => {
    const stay = stays.get(endOf(request.socket));
    if (!stay) return;
    if (hasBody(request)) request.once('end', stay.leave);
    else stay.leave();
    response.once('close', stay.idle);
  });
  server.on('upgrade', (request: IncomingMessage) => stays.get(endOf(request.socket))?.end());
}
