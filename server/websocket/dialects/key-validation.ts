import {
  KEY_REQUESTS,
  type KeyAnswer,
  keyPartSchema,
  keyRequestSchema,
} from '../../../shared/key-validation.ts';
import { AppError } from '../../core/errors.ts';
import { parseJson } from '../../core/json.ts';
import { CLOSED_KEY_SERVICE, type KeyQuestion, type KeyService } from '../key-service.ts';
import type { Connection, Dialect, DialectSession, UpgradeRequest } from '../types.ts';

/** Silence beyond the heartbeat interval after which a connection is cut, in ms [WS-3]. */
const GRACE_MS = 5000;
/** Validations of one connection that may be open; further ones are refused until one is answered. */
const OPEN_MAX = 4;

const PARTS = ['serviceId', 'hwid', 'key'] as const;
type Given = { [Part in keyof KeyQuestion]?: string | undefined };

/** What the URL says; null where a part is malformed. */
function readGiven(query: UpgradeRequest['query']): Given | null {
  const given: Given = {};
  for (const part of PARTS) {
    const value = query.get(part);
    if (value === null || value === '') continue;
    if (!keyPartSchema.safeParse(value).success) return null;
    given[part] = value;
  }
  return given;
}

/**
 * Key validation on `/` [WS-3]: anybody may connect, and have keys checked.
 * @param deps.keys null: there is no service to ask. Then it is off in production; elsewhere it answers, and every
 *   validation fails, because an address cannot be made up as a secret can [WS-0].
 */
export function createKeyValidationDialect(deps: {
  keys: KeyService | null;
  production: boolean;
  heartbeatIntervalMs: number;
}): Dialect {
  const { production, heartbeatIntervalMs } = deps;
  const keys = deps.keys ?? CLOSED_KEY_SERVICE;

  function open(connection: Connection, given: Given): DialectSession {
    const answer = (message: KeyAnswer) => connection.send(JSON.stringify(message));
    let validations = 0;

    async function validate({ serviceId, hwid, key }: Given): Promise<void> {
      if (serviceId === undefined || hwid === undefined || key === undefined) {
        throw new AppError('invalid_request', { detail: 'serviceId, hwid and key are needed' });
      }
      if (validations >= OPEN_MAX) throw new AppError('rate_limited');
      validations += 1;
      const verdict = await keys.ask({ serviceId, hwid, key }, connection.address).finally(() => {
        validations -= 1;
      });
      answer({
        type: 'validation_response',
        success: verdict.success,
        message: verdict.success ? 'Authentication successful' : 'Authentication failed',
        data: verdict.data,
        ...(verdict.success ? {} : { reason: verdict.reason }),
      });
    }

    answer({ type: 'welcome', message: 'Connected to WebSocket server', clientId: connection.id });

    return {
      message(data) {
        const request = parseJson(data.toString());
        const type = (request as { type?: unknown } | null)?.type;
        if (typeof type !== 'string' || !KEY_REQUESTS.includes(type)) throw new AppError('unknown_event');
        const parsed = keyRequestSchema.safeParse(request);
        if (!parsed.success) {
          const [issue] = parsed.error.issues;
          throw new AppError('invalid_request', { detail: `${issue?.path.join('.')}: ${issue?.message}` });
        }
        if (parsed.data.type === 'heartbeat') {
          return answer({ type: 'heartbeat_response', timestamp: Date.now() });
        }
        const asked: Given = {};
        for (const part of PARTS) asked[part] = parsed.data[part] ?? given[part];
        return validate(asked);
      },
      fail: (error) => answer({ type: 'error', message: error.toPayload().message, code: error.code }),
    };
  }

  return {
    name: 'key-validation',
    off: deps.keys === null && production ? 'VALIDATION_URL is not set' : undefined,
    notice: deps.keys === null ? 'VALIDATION_URL is not set, so no key is valid' : undefined,
    matches: ({ path }) => path === '/',
    admit({ query }) {
      const given = readGiven(query);
      if (!given) return { refuse: 'invalid_request' };
      return {
        anonymous: true,
        timeoutMs: heartbeatIntervalMs + GRACE_MS,
        open: (connection) => open(connection, given),
      };
    },
  };
}
