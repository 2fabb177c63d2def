import assert from 'node:assert/strict';
import { once } from 'node:events';
import { Agent, get, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { createDrain, createNodeServer } from '../../../server/http/node-server.ts';

describe('the end of the HTTP server', () => {
  let server: Server;
  let agent: Agent;
  const answers: ServerResponse[] = [];

  beforeEach(async () => {
    answers.length = 0;
    server = createNodeServer((_request, response) => {
      answers.push(response);
      server.emit('asked');
    }) as Server;
    agent = new Agent({ keepAlive: true });
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
  });
  afterEach(() => {
    agent.destroy();
    server.closeAllConnections();
    server.close();
  });

  /** Sends a request. @returns what becomes of it, once the server has it */
  async function ask(): Promise<{ ended: Promise<number> }> {
    const { port } = server.address() as AddressInfo;
    const asked = once(server, 'asked');
    const request = get({ port, host: '127.0.0.1', agent });
    const ended = (async () => {
      const [response] = (await once(request, 'response')) as [IncomingMessage];
      await once(response.resume(), 'end');
      return response.statusCode ?? 0;
    })();
    ended.catch(() => {});
    await asked;
    return { ended };
  }

  it('[RUN-5] lets a request that is being answered end, although its connection would stay open', async () => {
    const { ended } = await ask();
    const drain = createDrain(server, 10_000);
    const drained = drain();
    assert.equal(server.listening, false);
    assert.equal(drain(), drained);
    answers[0]?.end('done');
    assert.equal(await ended, 200);
    await drained;
  });

  it('[RUN-5] cuts a request that does not end in time', async () => {
    const { ended } = await ask();
    await createDrain(server, 50)();
    await assert.rejects(ended);
  });

  it('[RUN-5] ends at once where nothing is going on, and where it never listened', async () => {
    const { ended } = await ask();
    answers[0]?.end();
    await ended;
    await createDrain(server, 10_000)();
    await createDrain(server, 10_000)();
  });
});
