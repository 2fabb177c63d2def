import assert from 'node:assert/strict';
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net';
import { createRandom } from '../../../scripts/chaos/random.ts';
import { createRelay, type Relay } from '../../../scripts/chaos/relay.ts';
import { until } from '../../support/until.ts';

describe('chaos relay', () => {
  let server: Server;
  let relay: Relay;
  const accepted: Socket[] = [];

  beforeEach(async () => {
    server = createServer((socket) => {
      accepted.push(socket);
      socket.on('error', () => {});
      socket.pipe(socket);
    });
    await new Promise<void>((resolve) => {
      server.listen(0, '127.0.0.1', resolve);
    });
    const { port } = server.address() as AddressInfo;
    relay = await createRelay(() => ({ host: '127.0.0.1', port }), createRandom(7).next);
  });
  afterEach(async () => {
    await relay.stop();
    for (const socket of accepted.splice(0)) socket.destroy();
    await new Promise((resolve) => server.close(resolve));
  });

  function client() {
    const socket = connect(relay.port, '127.0.0.1');
    let text = '';
    let error: NodeJS.ErrnoException | null = null;
    socket.on('data', (chunk: Buffer) => {
      text += chunk.toString();
    });
    socket.on('error', (cause) => {
      error = cause;
    });
    return { socket, text: () => text, error: () => error as NodeJS.ErrnoException | null };
  }

  it('delays bytes unevenly without changing their order', async () => {
    relay.delay(20, 15);
    const { socket, text } = client();
    let sent = '';
    const started = performance.now();
    for (let n = 0; n < 60; n++) {
      socket.write(`${n} `);
      sent += `${n} `;
      await new Promise((resolve) => setTimeout(resolve, 1));
    }
    await until(() => text() === sent);
    assert.ok(performance.now() - started >= 10);
    socket.end();
    await until(() => relay.connections() === 0);
  });

  it('holds everything while it hangs, connections that come meanwhile too, and delivers it afterwards', async () => {
    const one = client();
    one.socket.write('a');
    await until(() => one.text() === 'a');
    relay.hang();
    const other = client();
    one.socket.write('b');
    other.socket.write('c');
    await until(() => relay.connections() === 2);
    await new Promise((resolve) => setTimeout(resolve, 50));
    assert.equal(one.text() + other.text(), 'a');
    relay.restore();
    await until(() => one.text() === 'ab' && other.text() === 'c');
    one.socket.end();
    other.socket.end();
  });

  it('resets connections, and new ones as long as it is cut', async () => {
    const one = client();
    one.socket.write('a');
    await until(() => one.text() === 'a');
    relay.cut();
    await until(() => one.error()?.code === 'ECONNRESET');
    const other = client();
    await until(() => other.error() !== null || other.socket.destroyed);
    relay.restore();
    const third = client();
    third.socket.write('x');
    await until(() => third.text() === 'x');
    relay.reset();
    await until(() => third.error()?.code === 'ECONNRESET');
  });
});
