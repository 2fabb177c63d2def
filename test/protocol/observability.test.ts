import assert from 'node:assert/strict';
import { PassThrough } from 'node:stream';
import { createLogger } from '../../server/core/logger.ts';
import { startServer } from '../support/server.ts';

describe('what a server tells about itself', () => {
  it('[HTTP-1] counts SSH logins by their outcome', async () => {
    const server = await startServer();
    await server.login({ demo: true });
    const body = { host: '127.0.0.1', port: 1, username: 'u', authMethod: 'password', password: 'p' };
    await assert.rejects(server.login(body), /host_not_allowed/);
    const metrics = await (await fetch(`${server.url}/metrics`)).text();
    assert.match(metrics, /^tailwire_logins_total\{result="ok"\} 1$/m);
    assert.match(metrics, /^tailwire_logins_total\{result="host_not_allowed"\} 1$/m);
    await server.stop();
  });

  it('[HTTP-3] logs no path that a client made up', async () => {
    const stream = new PassThrough({ encoding: 'utf8' });
    const server = await startServer(
      {},
      { logger: createLogger({ level: 'debug', format: 'json', stream }) },
    );
    await fetch(`${server.url}/canary-path?token=canary-token`);
    await fetch(`${server.url}/api/logs/canary-unit`);
    await server.stop();
    const log = String(stream.read());
    assert.match(log, /Request refused/);
    assert.doesNotMatch(log, /canary/);
  });
});
