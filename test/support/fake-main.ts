import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { loadConfig } from '../../server/config.ts';
import { runProcess } from '../../server/process.ts';

/**
 * A process around an empty server, for tests of the process alone. FAKE_STOP: how its stop ends (`at once`, `never`,
 * `fails`); FAKE_CRASH: throws when it is told so by SIGUSR2.
 */
await runProcess(loadConfig(process.env), async (config) => {
  const server = createServer((_req, res) => res.end('ok'));
  process.on('SIGUSR2', () => {
    throw new Error('crash of the test');
  });
  return {
    listen: () =>
      new Promise((resolve, reject) => {
        server.once('error', reject);
        server.listen(config.port, config.host, () => {
          const { address, port } = server.address() as AddressInfo;
          resolve({ url: `http://${address}:${port}` });
        });
      }),
    reload() {
      process.stdout.write('reload called\n');
    },
    async stop() {
      process.stdout.write('stop called\n');
      if (process.env.FAKE_STOP === 'never') await new Promise(() => undefined);
      if (process.env.FAKE_STOP === 'fails') throw new Error('stop of the test failed');
      server.close();
    },
  };
});
