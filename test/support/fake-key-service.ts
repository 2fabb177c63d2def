import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { atEnd } from './at-end.ts';

type Answer = (query: URLSearchParams, response: ServerResponse, request: IncomingMessage) => void;

/** A key validation service that can be made to misbehave. */
export interface FakeKeyService {
  readonly url: string;
  /** The queries it got, in order. */
  readonly asked: URLSearchParams[];
  /** What it does with the next requests. */
  answer: Answer;
  stop(): Promise<void>;
}

/** Answers with JSON; 200 unless told. */
export function json(value: unknown, status = 200): Answer {
  return (_query, response) => {
    response.writeHead(status, { 'content-type': 'application/json; charset=utf-8' });
    response.end(typeof value === 'string' ? value : JSON.stringify(value));
  };
}

/** The good service: keys that begin with `good` are valid. */
export const honest: Answer = (query, response, request) => {
  const isGood = query.get('key')?.startsWith('good') === true;
  json({ V2_Authentication: isGood ? 'success' : 'failed', note: 'ü' })(query, response, request);
};

/** Starts one on a free port of loopback, honest at first. */
export async function startFakeKeyService(): Promise<FakeKeyService> {
  const asked: URLSearchParams[] = [];
  const server = createServer((request, response) => {
    const { searchParams } = new URL(request.url ?? '/', 'http://localhost');
    asked.push(searchParams);
    response.on('error', () => {});
    fake.answer(searchParams, response, request);
  });
  await new Promise<void>((resolve) => {
    server.listen(0, '127.0.0.1', resolve);
  });
  const fake: FakeKeyService = {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/check?client=tailwire`,
    asked,
    answer: honest,
    stop: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
  atEnd(fake.stop);
  return fake;
}
