import assert from 'node:assert/strict';
import { type Endpoint, listEndpoints } from '../../scripts/conformance/endpoints.ts';
import { runCases, runHandshakes, SECTIONS } from '../../scripts/conformance/run.ts';
import { startServer, type TestServer } from '../support/server.ts';

const SECRETS = { jwtSecret: 'the JWT secret of these tests', hmacSecret: 'the room secret of these tests' };
const LIMITS = { maxPayloadBytes: 256 * 1024 };
const CASES = Object.values(SECTIONS).flat();
/** Every case runs on one endpoint in turn, so that this short run has each case and each endpoint. */
const turnOf = new Map(CASES.map(({ id }, n) => [id, n]));

describe('raw frames', () => {
  let server: TestServer;
  let endpoints: readonly Endpoint[];

  before(async () => {
    server = await startServer({
      JWT_SECRET: SECRETS.jwtSecret,
      HMAC_SECRET: SECRETS.hmacSecret,
      MAX_PAYLOAD_BYTES: String(LIMITS.maxPayloadBytes),
    });
    endpoints = await listEndpoints(SECRETS);
  });
  after(() => server?.stop());

  it('[WS-5] the cases have ids of their own, at least 110 of them', () => {
    assert.equal(turnOf.size, CASES.length);
    assert.ok(CASES.length >= 110, String(CASES.length));
  });

  for (const n of [0, 1, 2, 3, 4, 5]) {
    it(`[WS-5] endpoint ${n + 1} of 6 keeps to RFC 6455`, async () => {
      const endpoint = endpoints[n];
      assert.ok(endpoint);
      const handshakes = await runHandshakes(server.url, endpoint);
      const mine = ({ id }: { id: string }) => (turnOf.get(id) ?? 0) % endpoints.length === n;
      const { misses, sections } = await runCases(server.url, endpoint, LIMITS, mine);
      assert.deepEqual([...handshakes.misses, ...misses], []);
      const run = [...sections.values()].reduce((sum, tally) => sum + tally.run, 0);
      assert.ok(run >= Math.floor(CASES.length / endpoints.length));
    });
  }

  it('[WS-5] after all of that nobody is left', async () => {
    assert.equal(endpoints.length, 6);
    const deadline = Date.now() + 6000;
    let clients = -1;
    while (clients !== 0 && Date.now() < deadline) {
      clients = ((await (await fetch(`${server.url}/health`)).json()) as { clients: number }).clients;
    }
    assert.equal(clients, 0);
  });

  it('[WS-5] a server that does otherwise is found out', async () => {
    // The runner itself can fail: held to a limit that it does not have, the server misses it.
    const [endpoint] = endpoints;
    assert.ok(endpoint);
    const tooMuch = { maxPayloadBytes: 2 * LIMITS.maxPayloadBytes };
    const { misses } = await runCases(server.url, endpoint, tooMuch, ({ id }) => id === '9.1.1');
    assert.deepEqual(
      misses.map(({ what }) => what),
      ['closed with 1009 instead of an answer'],
    );
  });
});
