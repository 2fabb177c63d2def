import assert from 'node:assert/strict';
import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import http, { type IncomingMessage } from 'node:http';
import https from 'node:https';
import { json } from 'node:stream/consumers';
import { type Endpoint, listEndpoints } from '../../scripts/conformance/endpoints.ts';
import type { Base } from '../../scripts/conformance/raw-client.ts';
import { runCases, runHandshakes, SECTIONS } from '../../scripts/conformance/run.ts';
import { createAuthority } from '../support/certificates.ts';
import { requirePart } from '../support/parts.ts';
import { startServer, type TestServer } from '../support/server.ts';
import { until } from '../support/until.ts';

const SECRETS = { jwtSecret: 'the JWT secret of these tests', hmacSecret: 'the room secret of these tests' };
const LIMITS = { maxPayloadBytes: 256 * 1024 };
const CASES = Object.values(SECTIONS).flat();
/** Every case runs on one endpoint in turn, so that this short run has each case and each endpoint. */
const turnOf = new Map(CASES.map(({ id }, n) => [id, n]));

/** Connections that the server says it has. */
async function clients({ url, ca }: Base): Promise<number> {
  const { get } = url.startsWith('https:') ? https : http;
  const [response] = (await once(get(`${url}/health`, { ca, agent: false }), 'response')) as [
    IncomingMessage,
  ];
  return ((await json(response)) as { clients: number }).clients;
}

describe('raw frames', () => {
  it('[WS-5] the cases have ids of their own, at least 110 of them', () => {
    assert.equal(turnOf.size, CASES.length);
    assert.ok(CASES.length >= 110, String(CASES.length));
  });

  for (const [transport, shift] of [
    ['TCP', 0],
    ['TLS', 1],
  ] as const) {
    describe(`over ${transport}`, () => {
      let server: TestServer;
      let base: Base;
      let endpoints: readonly Endpoint[];

      before(async function () {
        if (transport === 'TLS') requirePart(this, 'openssl');
        const authority = transport === 'TLS' ? await createAuthority() : null;
        const files = await authority?.issue('server');
        server = await startServer({
          JWT_SECRET: SECRETS.jwtSecret,
          HMAC_SECRET: SECRETS.hmacSecret,
          MAX_PAYLOAD_BYTES: String(LIMITS.maxPayloadBytes),
          ...(files ? { TLS_CERT: files.cert, TLS_KEY: files.key } : {}),
        });
        base = authority ? { url: server.url, ca: await readFile(authority.ca) } : { url: server.url };
        endpoints = await listEndpoints(SECRETS);
      });
      after(() => server?.stop());

      for (const n of [0, 1, 2, 3, 4, 5]) {
        it(`[WS-5] endpoint ${n + 1} of 6 keeps to RFC 6455`, async () => {
          const endpoint = endpoints[n];
          assert.ok(endpoint);
          const handshakes = await runHandshakes(base, endpoint);
          // What one endpoint is not asked over TCP, its neighbour's cases, it is asked over TLS.
          const mine = ({ id }: { id: string }) => ((turnOf.get(id) ?? 0) + shift) % endpoints.length === n;
          const { misses, sections } = await runCases(base, endpoint, LIMITS, mine);
          assert.deepEqual([...handshakes.misses, ...misses], []);
          const run = [...sections.values()].reduce((sum, tally) => sum + tally.run, 0);
          assert.ok(run >= Math.floor(CASES.length / endpoints.length));
        });
      }

      it('[WS-5] after all of that nobody is left', async () => {
        assert.equal(endpoints.length, 6);
        await until(async () => (await clients(base)) === 0);
      });

      it('[WS-5] a server that does otherwise is found out', async () => {
        // The runner itself can fail: held to a limit that it does not have, the server misses it.
        const [endpoint] = endpoints;
        assert.ok(endpoint);
        const tooMuch = { maxPayloadBytes: 2 * LIMITS.maxPayloadBytes };
        const { misses } = await runCases(base, endpoint, tooMuch, ({ id }) => id === '9.1.1');
        assert.deepEqual(
          misses.map(({ what }) => what),
          ['closed with 1009 instead of an answer'],
        );
      });
    });
  }
});
