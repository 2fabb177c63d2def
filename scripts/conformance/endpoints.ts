import { randomUUID } from 'node:crypto';
import { createJwts } from '../../server/rooms/tokens/jwt.ts';
import { createRoomTokens } from '../../server/rooms/tokens/room-token.ts';

/** An address that speaks plain WebSocket, and how to see that messages really get through. */
export interface Endpoint {
  readonly name: string;
  readonly path: string;
  readonly headers?: Readonly<Record<string, string>>;
  /** Messages that it sends by itself at the start. */
  readonly greetings: number;
  /** A message that is answered; `pad` goes into a JSON string of it as it is. */
  probe(pad: string): string;
  isAnswer(text: string): boolean;
}

export interface Secrets {
  jwtSecret: string;
  hmacSecret: string;
}

/** Every raw endpoint of a server with these secrets. */
export async function listEndpoints({ jwtSecret, hmacSecret }: Secrets): Promise<Endpoint[]> {
  const jwt = await createJwts({ secret: jwtSecret }).issue({ userId: 'conformance', role: 'agent' }, 3600);
  const { token } = createRoomTokens({ secret: hmacSecret }).issue({
    clientId: 'conformance',
    room: 'conformance',
    expiresInS: 3600,
  });
  const nexus = {
    greetings: 1,
    probe: (pad: string) => `{"action":"ping","pad":"${pad}"}`,
    isAnswer: (text: string) => text.includes('"pong"'),
  };
  const echo = {
    greetings: 1,
    probe: (pad: string) => `{"type":"keepalive","pad":"${pad}"}`,
    isAnswer: (text: string) => text.includes('"ack"'),
  };
  const mb = {
    greetings: 0,
    probe: (pad: string) => `request:system.heartbeat:1.0.0:${randomUUID()}\n{"pad":"${pad}"}`,
    isAnswer: (text: string) => text.includes('"success"'),
  };
  return [
    { name: '/ws', path: `/ws?token=${jwt}`, ...nexus },
    { name: '/mb', path: `/mb?token=${jwt}`, ...mb },
    { name: '/ws (mb)', path: '/ws', headers: { 'Sec-WebSocket-Protocol': `mb, bearer.${jwt}` }, ...mb },
    { name: '/:room', path: `/conformance?token=${token}`, ...echo },
    { name: '/rooms/:room', path: `/rooms/conformance?token=${token}`, ...echo },
    {
      name: '/ (keys)',
      path: '/?serviceId=s&hwid=h&key=k',
      greetings: 1,
      probe: (pad) => `{"type":"heartbeat","pad":"${pad}"}`,
      isAnswer: (text) => text.includes('"heartbeat_response"'),
    },
  ];
}
