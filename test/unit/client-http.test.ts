import assert from 'node:assert/strict';
import { createServer, type IncomingMessage, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { GatewayRequestError } from '../../client/errors.ts';
import { config, downloadLogs, downloadUrl, login, logout, session } from '../../client/http.ts';

interface Answer {
  status: number;
  body?: string;
}

describe('client HTTP helpers', () => {
  let server: Server;
  let url: string;
  let answer: Answer;
  let seen: {
    method: string | undefined;
    path: string | undefined;
    headers: IncomingMessage['headers'];
    body: string;
  };

  before(async () => {
    server = createServer(async (request, response) => {
      let body = '';
      for await (const chunk of request) body += chunk;
      seen = { method: request.method, path: request.url, headers: request.headers, body };
      response.writeHead(answer.status, { 'content-type': 'application/json' }).end(answer.body);
    });
    await new Promise<void>((resolve) => {
      server.listen(0, '127.0.0.1', resolve);
    });
    url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  });
  after(() => {
    server.closeAllConnections();
    server.close();
  });

  it('[SES-2] logs in and returns what the gateway says', async () => {
    answer = { status: 201, body: '{"token":"t"}' };
    const got = await login({ demo: true }, { url: `${url}/` });
    assert.equal(got.token, 't');
    assert.equal(seen.method, 'POST');
    assert.equal(seen.path, '/api/sessions');
    assert.equal(seen.body, '{"demo":true}');
    assert.equal(seen.headers.authorization, undefined);
  });

  it('[HTTP-2] throws what the gateway says is wrong, as a value with a hint', async () => {
    const error = {
      code: 'host_key_changed',
      message: 'The key has changed.',
      hint: 'Look.',
      requestId: 'r',
    };
    answer = { status: 409, body: JSON.stringify({ error }) };
    await assert.rejects(login({ demo: true }, { url }), (thrown: unknown) => {
      assert.ok(thrown instanceof GatewayRequestError);
      assert.equal(thrown.code, 'host_key_changed');
      assert.equal(thrown.message, 'The key has changed.');
      assert.equal(thrown.hint, 'Look.');
      assert.equal(thrown.retryable, false);
      assert.equal(thrown.status, 409);
      return true;
    });
  });

  it('takes 401 for nobody logged in, and any other error for an error', async () => {
    answer = { status: 401, body: '{}' };
    assert.equal(await session({ url }), null);
    await logout({ url });
    answer = { status: 503, body: 'no json' };
    await assert.rejects(session({ url }), { code: 'bad_answer', status: 503 });
    answer = { status: 200, body: '<html>' };
    await assert.rejects(config({ url }), { code: 'bad_answer' });
  });

  it('says that the gateway cannot be reached', async () => {
    await assert.rejects(session({ url: 'http://127.0.0.1:1' }), { code: 'network', retryable: true });
  });

  it('sends the token in a header where it has one, never in an address', async () => {
    answer = { status: 200, body: 'line\n' };
    const blob = await downloadLogs('a@b.service', { format: 'txt', grep: 'x&y' }, { url, token: 'secret' });
    assert.equal(await blob.text(), 'line\n');
    assert.equal(seen.headers.authorization, 'Bearer secret');
    assert.equal(seen.path, '/api/logs/a%40b.service?format=txt&grep=x%26y');
    assert.equal(downloadUrl('execution'), '/api/logs/execution');
  });
});
