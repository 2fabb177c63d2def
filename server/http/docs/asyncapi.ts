import { z } from 'zod';
import { DIALECTS, type DialectChannel } from './dialect-schemas.ts';
import { CLIENT_EVENTS, SERVER_EVENTS } from './event-schemas.ts';

type Json = Record<string, unknown>;
interface Ref {
  $ref: string;
}

/** A message of the document. */
interface Message {
  name: string;
  summary?: string;
  payload: Ref;
  headers?: Ref;
  /** What the receiver calls back with, by the convention of AsyncAPI documents about Socket.IO. */
  'x-ack'?: { args: Ref[] };
}

export interface AsyncApi {
  asyncapi: string;
  info: Json;
  defaultContentType: string;
  servers: Json;
  channels: Record<string, Json & { address: string; messages: Record<string, Ref> }>;
  operations: Record<string, Json & { action: 'send' | 'receive'; channel: Ref }>;
  components: { schemas: Record<string, Json>; messages: Record<string, Message> };
}

const SCHEMAS = '#/components/schemas/';

/** Collects schemas under ids, and turns them into JSON Schema all at once, so that they can refer to each other. */
function createSchemas() {
  const input = z.registry<{ id: string }>();
  const output = z.registry<{ id: string }>();
  const ids = new Map<z.ZodType, string>();
  return {
    /** @param io `input`: what clients send, before defaults are filled in */
    add(schema: z.ZodType, id: string, io: 'input' | 'output'): Ref {
      const known = ids.get(schema) ?? id;
      if (known === id) {
        ids.set(schema, id);
        (io === 'input' ? input : output).add(schema, { id });
      }
      return { $ref: `${SCHEMAS}${known}` };
    },
    build(): Record<string, Json> {
      const from = (registry: typeof input, io: 'input' | 'output') =>
        z.toJSONSchema(registry, {
          target: 'draft-7',
          io,
          uri: (id) => `${SCHEMAS}${id}`,
          override: ({ jsonSchema }) => {
            // Fields may be added one day: clients should not take their absence for granted.
            if (jsonSchema.additionalProperties === false) delete jsonSchema.additionalProperties;
          },
        }).schemas;
      const all: Record<string, Json> = { ...from(input, 'input'), ...from(output, 'output') };
      return Object.fromEntries(
        Object.entries(all).map(([id, { $schema: _draft, $id: _id, ...schema }]) => [id, schema]),
      );
    },
  };
}

const pascal = (text: string) => text.replace(/(?:^|[_-])(\w)/g, (_all, char: string) => char.toUpperCase());
const upper = (text: string) => text.charAt(0).toUpperCase() + text.slice(1);

/**
 * The AsyncAPI 3 document of the sockets [HTTP-1], made from the schemas that check what clients send and from those of
 * what the server answers. Operations are named from the server's side: it receives what clients send.
 */
export function createAsyncApi(version: string): AsyncApi {
  const schemas = createSchemas();
  const messages: Record<string, Message> = {};
  const channels: AsyncApi['channels'] = {};
  const operations: AsyncApi['operations'] = {};

  /** Puts a message into a channel. */
  function add(channel: string, key: string, message: Message): Ref {
    messages[`${channel}.${key}`] = message;
    const inChannel = channels[channel]?.messages;
    if (inChannel) inChannel[key] = { $ref: `#/components/messages/${channel}.${key}` };
    return { $ref: `#/channels/${channel}/messages/${key}` };
  }
  const channelRef = (channel: string): Ref => ({ $ref: `#/channels/${channel}` });

  function addSocketIo(): void {
    const channel = 'socketio';
    channels[channel] = {
      address: '/socket.io/',
      title: 'Socket.IO gateway',
      description:
        'Also at `/` for original clients. An event is the `name` of its message, with the payload as its argument; ' +
        '`x-ack` is what its callback gets, here also as the reply.',
      messages: {},
    };
    for (const [event, { summary, request, ack }] of Object.entries(CLIENT_EVENTS)) {
      const id = pascal(event);
      const answer = schemas.add(ack, `${id}Ack`, 'output');
      const payload = schemas.add(request ?? z.null(), `${id}Request`, 'input');
      const sent = add(channel, `client-${event}`, {
        name: event,
        summary,
        payload,
        'x-ack': { args: [answer] },
      });
      const reply = add(channel, `ack-${event}`, { name: event, summary: 'Its ack.', payload: answer });
      operations[`receive${id}`] = {
        action: 'receive',
        channel: channelRef(channel),
        summary,
        messages: [sent],
        reply: { channel: channelRef(channel), messages: [reply] },
      };
    }
    for (const [event, { summary, payload: schema }] of Object.entries(SERVER_EVENTS)) {
      const id = pascal(event);
      const payload = schemas.add(schema, `${id}Event`, 'output');
      const sent = add(channel, `server-${event}`, { name: event, summary, payload });
      operations[`send${id}`] = {
        action: 'send',
        channel: channelRef(channel),
        summary,
        messages: [sent],
      };
    }
  }

  function addDialect(channel: string, dialect: DialectChannel): void {
    const { address, title, description, parameters, query, client, server, headers } = dialect;
    const properties = Object.fromEntries(query.map((name) => [name, { type: 'string' }]));
    channels[channel] = {
      address,
      title,
      description,
      ...(parameters && {
        parameters: Object.fromEntries(
          Object.entries(parameters).map(([name, text]) => [name, { description: text }]),
        ),
      }),
      messages: {},
      bindings: { ws: { method: 'GET', query: { type: 'object', properties }, bindingVersion: '0.1.0' } },
    };
    const head = headers && { headers: schemas.add(headers, `${upper(channel)}Header`, 'output') };
    const put = (from: 'client' | 'server', io: 'input' | 'output', all: DialectChannel['client']) =>
      Object.entries(all).map(([name, schema]) => {
        const payload = schemas.add(schema, `${upper(channel)}${upper(from)}${pascal(name)}`, io);
        return add(channel, `${from}-${name}`, { name, payload, ...head });
      });
    operations[`receive${upper(channel)}`] = {
      action: 'receive',
      channel: channelRef(channel),
      messages: put('client', 'input', client),
    };
    operations[`send${upper(channel)}`] = {
      action: 'send',
      channel: channelRef(channel),
      messages: put('server', 'output', server),
    };
  }

  addSocketIo();
  for (const [channel, dialect] of Object.entries(DIALECTS)) addDialect(channel, dialect);

  const host = { host: { default: 'localhost:3001', description: 'Where this server runs.' } };
  return {
    asyncapi: '3.1.0',
    info: {
      title: 'Tailwire sockets',
      version,
      license: { name: 'MIT' },
      description: 'Events of Socket.IO and messages of the plain WebSocket dialects, on one port.',
    },
    defaultContentType: 'application/json',
    servers: {
      plain: { host: '{host}', protocol: 'ws', variables: host },
      tls: { host: '{host}', protocol: 'wss', variables: host },
    },
    channels,
    operations,
    components: { schemas: schemas.build(), messages },
  };
}
