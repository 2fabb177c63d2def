import { z } from 'zod';
import { type EchoAnswer, echoMessageSchema } from '../../../shared/echo.ts';
import { type KeyAnswer, keyRequestSchema } from '../../../shared/key-validation.ts';
import { MB_ACTIONS, MB_ERROR, type MbError, mbSubscribeSchema } from '../../../shared/mb.ts';
import { type NexusAnswer, nexusRequestSchema } from '../../../shared/nexus.ts';

/**
 * The messages of the plain WebSocket dialects as schemas, for the document about them. Answers have to fit their types in
 * `shared/`, and every type of answer has its row: the compiler sees to both.
 */

type Typed<A extends { type: string }> = {
  [T in A['type']]: z.ZodType<Extract<A, { type: T }>>;
};

const text = z.string();
const object = z.record(z.string(), z.unknown());

const NEXUS_ANSWERS: Typed<NexusAnswer> = {
  connected: z.object({ type: z.literal('connected'), message: text, userId: text }),
  subscribed: z.object({
    type: z.literal('subscribed'),
    channel: text,
    filters: object.nullable().exactOptional(),
  }),
  unsubscribed: z.object({ type: z.literal('unsubscribed'), channel: text }),
  message: z.object({
    type: z.literal('message'),
    channel: text,
    from: text,
    data: z.unknown(),
    timestamp: z.iso.datetime(),
    id: text,
  }),
  broadcast: z.object({
    type: z.literal('broadcast'),
    channel: text,
    data: z.unknown(),
    timestamp: z.iso.datetime(),
    id: text,
  }),
  pong: z.object({ type: z.literal('pong'), timestamp: z.number() }),
  error: z.object({
    type: z.literal('error'),
    message: text,
    code: text,
    channel: text.exactOptional(),
  }),
};

const roomMessage = {
  content: z.unknown(),
  from: text,
  timestamp: z.number().int().meta({ description: 'Epoch seconds.' }),
  id: text,
  metadata: object.exactOptional(),
};
const ECHO_ANSWERS: { [T in EchoAnswer['type']]: z.ZodType } = {
  welcome: z.object({
    type: z.literal('welcome'),
    message: text,
    room: text,
    clientId: text,
    time: z.iso.datetime(),
  }),
  message: z.object({ type: z.literal('message'), ...roomMessage }),
  'radio-content': z.object({ type: z.literal('radio-content'), ...roomMessage }),
  ack: z.object({ type: z.literal('ack'), ackType: text, receivedAt: z.iso.datetime() }),
  'control-welcome': z.object({
    type: z.literal('control-welcome'),
    message: text,
    room: text,
    time: z.iso.datetime(),
  }),
  control: z.object({
    type: z.literal('control'),
    event: z.literal('message'),
    room: text,
    from: text,
    timestamp: z.number(),
    id: text,
    size: z.number().int(),
  }),
  error: z.object({ type: z.literal('error'), error: text, code: z.union([text, z.number()]) }),
};

const KEY_ANSWERS: Typed<KeyAnswer> = {
  welcome: z.object({ type: z.literal('welcome'), message: text, clientId: text }),
  validation_response: z.object({
    type: z.literal('validation_response'),
    success: z.boolean(),
    message: z.enum(['Authentication successful', 'Authentication failed']),
    data: object,
    reason: z.enum(['rejected', 'unavailable']).exactOptional(),
  }),
  heartbeat_response: z.object({ type: z.literal('heartbeat_response'), timestamp: z.number() }),
  error: z.object({ type: z.literal('error'), message: text, code: text }),
};

const mbError: z.ZodType<MbError> = z.object({
  code: text,
  message: text,
  timestamp: z.iso.datetime(),
  details: object.exactOptional(),
});

/** The header line of the Message Broker, field by field. */
export const mbHeaderSchema = z.object({
  action: z.enum(MB_ACTIONS),
  topic: text,
  version: text.meta({ description: 'Semantic version; 1.0.0 from the server.' }),
  requestId: z.uuid().optional(),
  parentRequestId: z.uuid().optional().meta({ description: 'In a response: the request it answers.' }),
  timeout: z.number().int().optional().meta({ description: 'Ms that a request may take.' }),
});

/** Messages by name. */
type Messages = Readonly<Record<string, z.ZodType>>;

/** One address of a dialect. */
export interface DialectChannel {
  address: string;
  title: string;
  description: string;
  /** Parts of the path that clients fill in. */
  parameters?: Readonly<Record<string, string>>;
  /** Parameters of the query. */
  query: readonly string[];
  client: Messages;
  server: Messages;
  /** Messages are a header line, a line feed and the payload. */
  headers?: z.ZodType;
}

function byAction(): Messages {
  return Object.fromEntries(nexusRequestSchema.options.map((one) => [one.shape.action.value, one]));
}
function byType(): Messages {
  return Object.fromEntries(keyRequestSchema.options.map((one) => [one.shape.type.value, one]));
}

const { control, 'control-welcome': controlWelcome, ...ECHO_ROOM } = ECHO_ANSWERS;

export const DIALECTS: Readonly<Record<string, DialectChannel>> = {
  nexus: {
    address: '/ws',
    title: 'Nexus channels',
    description:
      'The token is a JWT [WS-1], in the query, as `Authorization: Bearer` or as the sub-protocol `bearer.<jwt>`.',
    query: ['token'],
    client: byAction(),
    server: NEXUS_ANSWERS,
  },
  echo: {
    address: '/{room}',
    title: 'Echo rooms',
    description:
      'Also at `/rooms/{room}`. The token is a room token [WS-2]. Handlers of rooms may add fields and types of their own.',
    parameters: { room: 'Name of the room.' },
    query: ['token'],
    client: { message: echoMessageSchema },
    server: ECHO_ROOM,
  },
  echoControl: {
    address: '/{room}/remotecontrol',
    title: 'Control channel of an Echo room',
    description:
      'The token needs the scope `control` [WS-2]. What clients send is for the handler of the room.',
    parameters: { room: 'Name of the room.' },
    query: ['token'],
    client: { message: echoMessageSchema },
    server: { 'control-welcome': controlWelcome, control, error: ECHO_ANSWERS.error, ack: ECHO_ANSWERS.ack },
  },
  keyValidation: {
    address: '/',
    title: 'Key validation',
    description: 'What a `validate` leaves out is taken from the query [WS-3].',
    query: ['serviceId', 'hwid', 'key'],
    client: byType(),
    server: KEY_ANSWERS,
  },
  mb: {
    address: '/mb',
    title: 'Message Broker',
    description:
      'Also at `/ws` with the sub-protocol `mb`. A message is a text or binary frame: the header line ' +
      '`action:topic:version[:requestId[:parentRequestId[:timeout]]]`, a line feed, and the payload as JSON [WS-4]. ' +
      `Errors come as the payload of a response, or of a publish on \`${MB_ERROR}\`.`,
    query: ['token'],
    headers: mbHeaderSchema,
    client: {
      publish: z.unknown(),
      request: z.unknown(),
      response: z.unknown(),
      subscribe: mbSubscribeSchema,
      unsubscribe: mbSubscribeSchema,
      heartbeat: z.object({}),
    },
    server: {
      publish: z.unknown(),
      request: z.unknown(),
      response: z.unknown(),
      success: z.object({ status: z.literal('success') }),
      error: mbError,
    },
  },
};
