import type { Slots } from '../../core/slots.ts';
import type { LogService } from '../../logs/service.ts';
import type { Grants } from '../../rooms/tokens/grants.ts';
import type { Hub } from '../../rooms/types.ts';
import type { Session, SessionStore } from '../../sessions/types.ts';
import type { StatusFeed } from '../../status/types.ts';
import type { Connection, Login } from '../connection.ts';

/** What the handlers of the events work with. */
export interface HandlerDeps {
  /** Units that sessions without a list of their own may watch, in display order. */
  units: readonly string[];
  sessions: SessionStore;
  logs: LogService;
  /** Reads of the journal that one session may have going on here, whatever its connections. */
  reads: Slots;
  status: StatusFeed;
  hub: Hub;
  grants: Grants;
  /** Whether a session alone opens rooms, without a token for them. */
  sessionRooms: boolean;
  /** Proves a session's login once for the cluster [SES-6]. @throws AppError with the code of the failed login */
  prove(session: Session, clientAddress: string): Promise<void>;
  /** Binds a session to a connection: `authenticated`, rooms, watch. */
  adopt(connection: Connection, login: Login): void;
}

/** Handles a validated request; what it returns goes into the ack, what it throws into `error` and the ack. */
export type Handler<Request, Answer extends object = object> = (
  deps: HandlerDeps,
  connection: Connection,
  request: Request,
  context: { wantsAck: boolean },
) => Promise<Answer> | Answer;
