import assert from 'node:assert/strict';
import { startServer, type TestServer } from '../support/server.ts';
import { until } from '../support/until.ts';

/** Reads of the journal that a session may have going on: four at a time, 32 waiting. */
const ALLOWED = 36;

describe('journal reads in hostile hands', () => {
  let server: TestServer;
  before(async () => {
    server = await startServer({ MESSAGE_RATE: '1000' });
  });
  after(() => server.stop());

  async function connect() {
    const { token } = await server.login({ demo: true });
    const socket = server.client({ auth: { token } });
    socket.connect();
    await until(() => socket.connected);
    return socket;
  }

  async function channels(): Promise<number> {
    const text = await (await fetch(`${server.url}/metrics`)).text();
    return Number(/^tailwire_ssh_channels (\d+)/m.exec(text)?.[1]);
  }

  it('[SIO-5] a flood of log_history opens few channels on the host, and what is too much is told so', async () => {
    const socket = await connect();
    let most = 0;
    let asking = true;
    const counting = (async () => {
      while (asking) {
        most = Math.max(most, await channels());
        // A read takes longer; looking costs time, too.
        await new Promise((resolve) => setTimeout(resolve, 10));
      }
    })();
    // Of the last half hour: what a read costs the demo host is not the question.
    const since = Date.now() - 1_800_000;
    const answers = await Promise.all(
      Array.from({ length: 200 }, (_, n) =>
        socket.emitWithAck('log_history', { service: 'execution', grep: `nothing${n}`, since, limit: 5 }),
      ),
    );
    asking = false;
    await counting;
    const refused = answers.filter((answer) => !answer.ok);
    assert.ok(refused.length > 0);
    assert.ok(refused.every((answer) => !answer.ok && answer.error.code === 'rate_limited'));
    assert.ok(answers.length - refused.length >= ALLOWED, `${refused.length} refused`);
    assert.ok(most >= 2 && most <= 6, `${most} channels`);
    const another = await connect();
    assert.ok((await another.emitWithAck('log_history', { service: 'execution', limit: 5 })).ok);
    socket.disconnect();
    another.disconnect();
  });

  it('[SIO-2] a filtered subscription that is given up stops searching the journal', async () => {
    const socket = await connect();
    let most = 0;
    for (let n = 0; n < 50; n++) {
      socket.emit('subscribe_logs', { service: 'consensus', grep: `nothing${n}`, tail: 5000 });
      socket.emit('unsubscribe_logs', { service: 'consensus' });
      most = Math.max(most, await channels());
    }
    assert.ok(most <= 8, `${most} channels`);
    socket.disconnect();
  });

  it('[SIO-2] a flood of subscriptions with first lines of many numbers opens few channels', async () => {
    const socket = await connect();
    let most = 0;
    for (let n = 0; n < 200; n++) {
      socket.emit('subscribe_logs', { service: 'consensus', tail: 5000 - n });
      // Long enough for the read to begin, too short for it to end.
      await new Promise((resolve) => setTimeout(resolve, 5));
      socket.emit('unsubscribe_logs', { service: 'consensus' });
      if (n % 10 === 0) most = Math.max(most, await channels());
    }
    assert.ok(most <= 8, `${most} channels`);
    assert.ok((await socket.emitWithAck('subscribe_logs', { service: 'consensus', tail: 10 })).ok);
    socket.disconnect();
  });
});
