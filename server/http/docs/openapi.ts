import { OpenAPIRegistry, OpenApiGeneratorV31, type RouteConfig } from '@asteasolutions/zod-to-openapi';
import { z } from 'zod';
import { type RoomPostAnswer, type RoomTokenAnswer, roomTokenSchema } from '../../../shared/echo.ts';
import { ERRORS, type ErrorCode } from '../../../shared/errors.ts';
import { instantSchema } from '../../../shared/events.ts';
import {
  dashboardConfigSchema,
  demoLoginSchema,
  httpErrorSchema,
  keyLoginSchema,
  loginAnswerSchema,
  passwordLoginSchema,
  sessionInfoSchema,
} from '../../../shared/http.ts';
import { logEntrySchema } from '../../../shared/log-entry.ts';
import { SESSION_COOKIE } from '../../core/session-token.ts';
import { healthSchema, readinessSchema } from '../routes/health.ts';
import { logQuerySchema } from '../routes/logs.ts';

type Document = ReturnType<OpenApiGeneratorV31['generateDocument']>;
type Responses = RouteConfig['responses'];

const json = (schema: z.ZodType) => ({ 'application/json': { schema } });
const named = <S extends z.ZodType>(id: string, schema: S): S => schema.meta({ id });

const ErrorBody = named('Error', httpErrorSchema);
const SessionInfo = named('SessionInfo', sessionInfoSchema);
const LoginAnswer = named('LoginAnswer', loginAnswerSchema);
/** A port comes as a number or as its digits; `null` is neither, although coercion would let a schema say so. */
const port = z
  .union([z.number().int().min(1).max(65_535), z.string().regex(/^\d{1,5}$/)])
  .optional()
  .meta({ description: 'SSH port; 22 unless given.' });
const LoginRequest = z.union([
  named('PasswordLogin', passwordLoginSchema.extend({ port })),
  named('KeyLogin', keyLoginSchema.extend({ port })),
  named('DemoLogin', demoLoginSchema),
]);
const RoomToken = named('RoomToken', z.object({ token: z.string(), expiresAt: z.number() }));
RoomToken satisfies z.ZodType<RoomTokenAnswer>;
const RoomPost = named(
  'RoomPost',
  z.object({
    success: z.literal(true),
    clientCount: z.number().int().meta({ description: 'Members on all instances.' }),
    delayMs: z.number().optional(),
    duplicate: z.literal(true).optional(),
  }),
);
RoomPost satisfies z.ZodType<Pick<RoomPostAnswer, 'success' | 'clientCount'>>;
const LogEntry = named('LogEntry', logEntrySchema.required());
const instant = instantSchema.optional().meta({
  description: 'ISO 8601 with a zone, or epoch milliseconds.',
});

/** Answers for errors of the table, by their status. */
function errors(...codes: ErrorCode[]): Responses {
  const byStatus = new Map<number, ErrorCode[]>();
  for (const code of codes) {
    const { status } = ERRORS[code];
    byStatus.set(status, [...(byStatus.get(status) ?? []), code]);
  }
  return Object.fromEntries(
    [...byStatus].map(([status, group]) => [
      status,
      {
        description: group.map((code) => `\`${code}\`: ${ERRORS[code].message}`).join(' '),
        content: json(ErrorBody),
      },
    ]),
  );
}

const HOST_ERRORS = [
  'auth_failed',
  'host_unreachable',
  'host_not_allowed',
  'host_key_changed',
  'ssh_busy',
  'too_many_logins',
  'store_unavailable',
] as const satisfies ErrorCode[];

const session = [{ sessionCookie: [] }, { sessionToken: [] }];
const text = (description: string, type: string) => ({
  description,
  content: { [type]: { schema: z.string() } },
});

const pushBody = {
  content: json(z.looseObject({}).meta({ description: 'What the room gets, as its handler reads it.' })),
  required: true,
};
const pushHeaders = z.object({
  'Idempotency-Key': z.string().max(200).optional().meta({
    description: 'Names the push: another one with the same name is not delivered again.',
  }),
  'X-Timestamp': z.string().optional().meta({ description: 'When it was sent: epoch time or ISO 8601.' }),
});
const push = {
  tags: ['rooms'],
  security: [{ roomToken: [] }],
  request: { params: z.object({ room: z.string() }), headers: pushHeaders, body: pushBody },
  responses: {
    200: { description: 'Taken.', content: json(RoomPost) },
    ...errors(
      'invalid_request',
      'invalid_room',
      'not_authenticated',
      'invalid_token',
      'origin_not_allowed',
      'forbidden',
      'not_found',
      'payload_too_large',
      'rate_limited',
      'store_unavailable',
    ),
  },
};

/** Every route of the HTTP application. The tests compare this list with the routes themselves, in both directions. */
const OPERATIONS: readonly RouteConfig[] = [
  {
    method: 'post',
    path: '/api/sessions',
    operationId: 'login',
    tags: ['session'],
    summary: 'Logs in to a host over SSH',
    request: { body: { content: json(LoginRequest), required: true } },
    responses: {
      201: {
        description: `Logged in; the token is also in the cookie \`${SESSION_COOKIE}\`.`,
        content: json(LoginAnswer),
      },
      ...errors(
        'invalid_request',
        'invalid_key',
        'origin_not_allowed',
        'payload_too_large',
        'rate_limited',
        'demo_off',
        ...HOST_ERRORS,
      ),
    },
  },
  {
    method: 'get',
    path: '/api/session',
    operationId: 'session',
    tags: ['session'],
    summary: 'The session that the request belongs to',
    security: session,
    responses: {
      200: { description: 'The session.', content: json(SessionInfo) },
      ...errors('not_authenticated', 'invalid_session', 'store_unavailable'),
    },
  },
  {
    method: 'delete',
    path: '/api/session',
    operationId: 'logout',
    tags: ['session'],
    summary: 'Ends the session and all its connections',
    security: session,
    responses: {
      204: { description: 'Ended.' },
      ...errors('not_authenticated', 'origin_not_allowed', 'store_unavailable'),
    },
  },
  {
    method: 'get',
    path: '/api/logs/{service}',
    operationId: 'downloadLogs',
    tags: ['logs'],
    summary: "Downloads a unit's journal, oldest line first",
    security: session,
    request: {
      params: z.object({ service: z.string().meta({ description: 'Unit, with or without `.service`.' }) }),
      query: logQuerySchema.extend({ since: instant, until: instant }),
    },
    responses: {
      200: {
        description: 'The lines. A download that fails half-way ends with a broken connection.',
        content: {
          'application/x-ndjson': { schema: LogEntry },
          'text/plain': { schema: z.string() },
        },
      },
      ...errors(
        'invalid_request',
        'invalid_service',
        'invalid_pattern',
        'not_authenticated',
        'invalid_session',
        'journal_permission',
        'rate_limited',
        'ssh_connection_error',
        'log_stream_failed',
        ...HOST_ERRORS,
      ),
    },
  },
  {
    method: 'post',
    path: '/auth/token',
    operationId: 'mintRoomToken',
    tags: ['rooms'],
    summary: 'Mints a token for a room',
    description: 'Here while `HMAC_SECRET` and `ISSUER_KEY` are set.',
    security: [{ issuerKey: [] }],
    request: { body: { content: json(named('RoomTokenRequest', roomTokenSchema)), required: true } },
    responses: {
      200: { description: 'The token; `expiresAt` is epoch ms.', content: json(RoomToken) },
      ...errors(
        'invalid_request',
        'invalid_room',
        'not_authenticated',
        'invalid_token',
        'origin_not_allowed',
        'not_found',
        'payload_too_large',
        'rate_limited',
      ),
    },
  },
  {
    ...push,
    method: 'post',
    path: '/{room}/postcontent',
    operationId: 'pushShort',
    summary: 'Pushes into a room; for names that no other path has',
  },
  {
    ...push,
    method: 'post',
    path: '/rooms/{room}/post',
    operationId: 'push',
    summary: 'Pushes into a room',
  },
  {
    method: 'get',
    path: '/health',
    operationId: 'health',
    tags: ['operation'],
    summary: 'Public summary',
    responses: { 200: { description: 'The summary.', content: json(named('Health', healthSchema)) } },
  },
  {
    method: 'get',
    path: '/healthz',
    operationId: 'alive',
    tags: ['operation'],
    summary: 'Whether the process lives',
    responses: {
      200: { description: 'It does.', content: json(z.object({ status: z.literal('ok') })) },
    },
  },
  {
    method: 'get',
    path: '/readyz',
    operationId: 'ready',
    tags: ['operation'],
    summary: 'Whether this instance takes clients',
    responses: {
      200: { description: 'It does.', content: json(named('Readiness', readinessSchema)) },
      503: {
        description: 'It does not: Redis is away, or it is stopping.',
        content: json(named('Readiness', readinessSchema)),
      },
    },
  },
  {
    method: 'get',
    path: '/metrics',
    operationId: 'metrics',
    tags: ['operation'],
    summary: 'Metrics for Prometheus',
    description:
      'Needs `METRICS_TOKEN` where that is set; where it is not: 404 in production, open elsewhere.',
    security: [{ metricsToken: [] }, {}],
    responses: {
      200: text('The metrics.', 'text/plain'),
      ...errors('not_authenticated', 'not_found'),
    },
  },
  {
    method: 'get',
    path: '/config.json',
    operationId: 'dashboardConfig',
    tags: ['operation'],
    summary: 'What a dashboard needs at run time',
    responses: {
      200: { description: 'The settings.', content: json(named('DashboardConfig', dashboardConfigSchema)) },
    },
  },
  {
    method: 'get',
    path: '/',
    operationId: 'dashboard',
    tags: ['operation'],
    summary: 'The dashboard',
    responses: { 200: text('A page.', 'text/html') },
  },
  ...(
    [
      ['/docs', 'docs', 'This description, to look through', 'text/html'],
      ['/docs/openapi.json', 'openApi', 'This description', 'application/json'],
      ['/docs/asyncapi.json', 'asyncApi', 'Events and messages of the sockets', 'application/json'],
    ] as const
  ).map(
    ([path, operationId, summary, type]): RouteConfig => ({
      method: 'get',
      path,
      operationId,
      tags: ['docs'],
      summary,
      security: [{ docs: [] }, {}],
      responses: {
        200: {
          description: summary,
          content: { [type]: { schema: type === 'text/html' ? z.string() : z.looseObject({}) } },
        },
        ...errors('not_authenticated', 'not_found'),
      },
    }),
  ),
];

const bearer = (description: string) => ({ type: 'http', scheme: 'bearer', description }) as const;

/** The OpenAPI 3.1 document of the HTTP routes [HTTP-1], made from the schemas that the routes use. */
export function createOpenApi(version: string): Document {
  const registry = new OpenAPIRegistry();
  const scheme = (name: string, value: Parameters<typeof registry.registerComponent>[2]) =>
    registry.registerComponent('securitySchemes', name, value);
  scheme('sessionCookie', { type: 'apiKey', in: 'cookie', name: SESSION_COOKIE });
  scheme('sessionToken', bearer('Token of a session.'));
  scheme('roomToken', bearer('Token of the room.'));
  scheme('issuerKey', bearer('`ISSUER_KEY` of the server.'));
  scheme('metricsToken', bearer('`METRICS_TOKEN` of the server.'));
  scheme('docs', { type: 'http', scheme: 'basic', description: '`DOCS_USERNAME` and `DOCS_PASSWORD`.' });
  for (const operation of OPERATIONS) {
    registry.registerPath({ security: [], ...operation });
  }
  return new OpenApiGeneratorV31(registry.definitions).generateDocument({
    openapi: '3.1.0',
    info: {
      title: 'Tailwire',
      version,
      license: { name: 'MIT', identifier: 'MIT' },
      description:
        'The HTTP routes; the sockets are in [asyncapi.json](/docs/asyncapi.json). Every error has the shape `Error`. ' +
        'A path that is here answers 405 `method_not_allowed` with `Allow` to other methods.',
    },
    servers: [{ url: '/' }],
    tags: [
      { name: 'session', description: 'Log in, look, log out.' },
      { name: 'logs', description: 'Downloads.' },
      { name: 'rooms', description: 'Tokens and pushes.' },
      { name: 'operation', description: 'Health, metrics, dashboard.' },
      { name: 'docs', description: 'Descriptions for programs.' },
    ],
  });
}
