import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { copyFile, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import https from 'node:https';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { type ConnectionOptions, connect, type TLSSocket } from 'node:tls';
import { io } from 'socket.io-client';
import { WebSocket } from 'ws';
import { loadConfig } from '../../server/config.ts';
import { readTls } from '../../server/http/tls.ts';
import { createJwts } from '../../server/rooms/tokens/jwt.ts';
import { type Authority, createAuthority } from '../support/certificates.ts';
import { requirePart } from '../support/parts.ts';
import { startServer, type TestServer } from '../support/server.ts';
import { until } from '../support/until.ts';

const JWT_SECRET = 'the secret of these tests';

describe('TLS', () => {
  let authority: Authority;
  let cert: { cert: string; key: string };
  let ca: Buffer;
  const children: ChildProcess[] = [];
  const folders: string[] = [];

  before(async function () {
    requirePart(this, 'openssl');
    authority = await createAuthority();
    cert = await authority.issue('server');
    ca = await readFile(authority.ca);
  });
  afterEach(async () => {
    for (const child of children.splice(0)) child.kill('SIGKILL');
    for (const folder of folders.splice(0)) await rm(folder, { recursive: true, force: true });
  });

  const settings = () => ({ TLS_CERT: cert.cert, TLS_KEY: cert.key, JWT_SECRET });

  /** Status of a GET over HTTPS. @throws where the handshake fails */
  async function get(url: string, options: https.RequestOptions = {}): Promise<number> {
    const request = https.get(url, { ca, agent: false, ...options });
    const [response] = (await once(request, 'response')) as [import('node:http').IncomingMessage];
    response.resume();
    await once(response, 'end');
    return response.statusCode ?? 0;
  }

  /** A TLS connection, shaken hands. @throws where that fails */
  async function shake(url: string, options: ConnectionOptions = {}): Promise<TLSSocket> {
    const { hostname, port } = new URL(url);
    const socket = connect({ host: hostname, port: Number(port), ca, ...options });
    await once(socket, 'secureConnect');
    return socket;
  }

  async function openWebSocket(url: string, options: object = {}): Promise<WebSocket> {
    const token = await createJwts({ secret: JWT_SECRET }).issue({ userId: 'u', role: 'agent' });
    const ws = new WebSocket(`${url.replace(/^http/, 'ws')}/ws?token=${token}`, { ca, ...options });
    await once(ws, 'open');
    return ws;
  }

  describe('with a certificate', () => {
    let server: TestServer;
    before(async () => {
      server = await startServer(settings());
    });
    after(() => server?.stop());

    it('[WS-5] serves HTTPS, and says so in its address', async () => {
      assert.match(server.url, /^https:/);
      assert.equal(await get(`${server.url}/healthz`), 200);
    });

    it('[WS-5] serves Socket.IO over WSS and over long-polling', async () => {
      for (const transport of ['websocket', 'polling'] as const) {
        const socket = io(server.url, { transports: [transport], forceNew: true, ca } as object);
        try {
          await until(() => socket.connected);
        } finally {
          socket.disconnect();
        }
      }
    });

    it('[WS-5] serves plain WebSocket over WSS', async () => {
      const ws = await openWebSocket(server.url);
      ws.close();
      await once(ws, 'close');
    });

    it('[WS-5] speaks TLS 1.2 and 1.3, and refuses what is older', async () => {
      for (const version of ['TLSv1.2', 'TLSv1.3'] as const) {
        const socket = await shake(server.url, { minVersion: version, maxVersion: version });
        assert.equal(socket.getProtocol(), version);
        socket.destroy();
      }
      // SECLEVEL=0: our side would otherwise refuse by itself.
      const old = { minVersion: 'TLSv1', ciphers: 'DEFAULT@SECLEVEL=0' } as const;
      for (const maxVersion of ['TLSv1', 'TLSv1.1'] as const) {
        await assert.rejects(shake(server.url, { ...old, maxVersion }), /alert protocol version/);
      }
    });

    it('[WS-5] takes no plain HTTP on that port', async () => {
      await assert.rejects(fetch(`${server.url.replace('https', 'http')}/healthz`));
    });

    it('[WS-5] asks nobody for a certificate unless told', async () => {
      const socket = await shake(server.url);
      assert.equal(socket.authorized, true);
      socket.destroy();
    });
  });

  describe('with client certificates', () => {
    let server: TestServer;
    before(async () => {
      server = await startServer({
        ...settings(),
        TLS_CA: authority.ca,
        TLS_REQUEST_CLIENT_CERT: '1',
      });
    });
    after(() => server?.stop());

    it('[WS-5] lets in who has one of TLS_CA, over HTTPS and WSS', async () => {
      const own = await authority.issue('client');
      const options = { cert: await readFile(own.cert), key: await readFile(own.key) };
      assert.equal(await get(`${server.url}/healthz`, options), 200);
      const ws = await openWebSocket(server.url, options);
      ws.terminate();
    });

    it('[WS-5] refuses who has none, or one of somebody else', async () => {
      const foreign = await (await createAuthority('other')).issue('client');
      const options = { cert: await readFile(foreign.cert), key: await readFile(foreign.key) };
      for (const what of [{}, options]) {
        await assert.rejects(get(`${server.url}/healthz`, what));
        await assert.rejects(openWebSocket(server.url, what));
      }
    });
  });

  describe('SIGHUP', () => {
    /** A server in a process of its own, from copies of the files that can be replaced. */
    async function start(env: Record<string, string> = {}) {
      const child = spawn(process.execPath, ['--import=tsx', 'server/main.ts'], {
        env: { PATH: process.env.PATH, PORT: '0', NODE_ENV: 'test', LOG_FORMAT: 'json', JWT_SECRET, ...env },
        stdio: ['ignore', 'pipe', 'pipe'],
      });
      children.push(child);
      let output = '';
      for (const stream of [child.stdout, child.stderr]) {
        stream.on('data', (chunk) => {
          output += String(chunk);
        });
      }
      const ready = /^Tailwire ready on (\S+)$/m;
      await until(() => ready.test(output));
      return { child, url: ready.exec(output)?.[1] ?? assert.fail(), output: () => output };
    }

    /** What a new connection is shown: the subject of the certificate. */
    async function subjectAt(url: string): Promise<string> {
      const socket = await shake(url);
      const { subject } = socket.getPeerCertificate();
      socket.destroy();
      return String(subject.CN);
    }

    it('[WS-5] reads new files and keeps connections; broken ones leave the old in use', async () => {
      const folder = await mkdtemp(path.join(tmpdir(), 'tailwire-reload-'));
      folders.push(folder);
      const TLS_CERT = path.join(folder, 'cert.pem');
      const TLS_KEY = path.join(folder, 'key.pem');
      const install = async (files: { cert: string; key: string }) => {
        await copyFile(files.cert, TLS_CERT);
        await copyFile(files.key, TLS_KEY);
      };
      await install(cert);
      const { child, url, output } = await start({ TLS_CERT, TLS_KEY });
      assert.equal(await subjectAt(url), 'server');
      const ws = await openWebSocket(url);
      const pong = async () => {
        ws.send(JSON.stringify({ action: 'ping' }));
        await until(() => answers.includes('pong'));
        answers.length = 0;
      };
      const answers: string[] = [];
      ws.on('message', (data) => answers.push(String(JSON.parse(String(data)).type)));
      await pong();

      await install(await authority.issue('renewed'));
      child.kill('SIGHUP');
      await until(async () => (await subjectAt(url)) === 'renewed');
      await pong();

      const times = () => output().split('the old ones stay in use').length - 1;
      // The key of another certificate, text that is no certificate, no file at all.
      await copyFile(cert.key, TLS_KEY);
      child.kill('SIGHUP');
      await until(() => times() === 1);
      await writeFile(TLS_CERT, 'no certificate');
      child.kill('SIGHUP');
      await until(() => times() === 2);
      await rm(TLS_CERT);
      child.kill('SIGHUP');
      await until(() => times() === 3);
      assert.match(output(), /TLS_CERT names a file that cannot be read: ENOENT/);
      assert.equal(await subjectAt(url), 'renewed');
      assert.doesNotMatch(output(), /PRIVATE KEY/);

      await install(cert);
      child.kill('SIGHUP');
      await until(async () => (await subjectAt(url)) === 'server');
      await pong();
      assert.equal(ws.readyState, ws.OPEN);
      ws.terminate();
      child.kill('SIGTERM');
      const [code] = await once(child, 'exit');
      assert.equal(code, 0);
    });

    it('[RUN-5] without TLS does nothing, and does not end the server', async () => {
      const { child, url, output } = await start();
      child.kill('SIGHUP');
      await until(() => output().includes('TLS is off'));
      assert.equal((await fetch(`${url}/healthz`)).status, 200);
      child.kill('SIGTERM');
      const [code] = await once(child, 'exit');
      assert.equal(code, 0);
    });
  });

  describe('at the start', () => {
    const bad: [string, () => Promise<Record<string, string>>, RegExp][] = [
      [
        'the key of another certificate',
        async () => ({ ...settings(), TLS_KEY: (await authority.issue('another')).key }),
        /TLS_CERT, TLS_KEY or TLS_CA/,
      ],
      [
        'an authority that is none',
        async () => ({ ...settings(), TLS_CA: cert.key, TLS_REQUEST_CLIENT_CERT: '1' }),
        /TLS_CA holds no certificate/,
      ],
      [
        'client certificates without TLS',
        async () => ({ TLS_CA: authority.ca, TLS_REQUEST_CLIENT_CERT: '1' }),
        /TLS_CERT is needed by TLS_REQUEST_CLIENT_CERT=1/,
      ],
    ];
    for (const [what, env, message] of bad) {
      it(`[ENV-1] names the variable of ${what}`, async () => {
        const loaded = loadConfig({ NODE_ENV: 'test', ...(await env()) });
        if (!loaded.ok) assert.match(loaded.problems.join('\n'), message);
        else assert.throws(() => readTls(loaded.config), message);
      });
    }
  });
});
