import type { Stoppable } from '../../core/types.ts';

/** A request as the subscriber that has to answer it gets it. */
export interface DeliveredRequest {
  /** The requester's id for it; the answer names it. */
  readonly id: string;
  readonly parentId?: string | undefined;
  readonly topic: string;
  /** The payload as JSON text. */
  readonly json: string;
  readonly timeoutMs: number;
}

export interface RequestSource extends DeliveredRequest {
  /** Id of the connection that asks. */
  readonly origin: string;
}

export interface RequestAnswer {
  /** The answer's own id. */
  readonly id: string;
  /** The payload as JSON text. */
  readonly json: string;
}

/** Somebody who answers requests: usually one connection. */
export interface Responder {
  readonly id: string;
  /** Whether it may have the requests of this topic. */
  may(topic: string): boolean;
  receive(request: DeliveredRequest): void;
}

/**
 * Requests and their answers over all instances [WS-4]. A request goes to exactly one of the topic's subscribers, chosen
 * among all of the cluster by chance, or to none; it is never sent a second time, because the first one may have acted.
 * Best effort like the bus: what is lost there ends as a time-out.
 */
export interface Requests extends Stoppable {
  /** Offers to answer requests on topics that match. @returns its end, idempotent */
  serve(pattern: string, responder: Responder): () => void;
  /**
   * Asks one subscriber. Its own requests a connection gets only where nobody else takes them.
   * @returns the answer; null where the asking connection has left meanwhile
   * @throws AppError no_subscriber, request_timeout, rate_limited (too many are open), invalid_request (the id is in use)
   */
  request(source: RequestSource): Promise<RequestAnswer | null>;
  /** An answer of the connection `responder`. @returns false: it was late, a duplicate, or not asked for, and is dropped */
  answer(responder: string, requestId: string, answer: RequestAnswer): boolean;
  /** A connection has closed: who waits for its answers is told, and nobody answers it any more. */
  leave(connection: string): void;
}
