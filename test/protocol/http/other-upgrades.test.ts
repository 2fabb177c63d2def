import { readFile } from 'node:fs/promises';
import { connect, type Socket } from 'node:net';
import { connect as connectTls } from 'node:tls';
import { createAuthority } from '../../support/certificates.ts';
import { HMAC_SECRET, roomToken } from '../../support/echo.ts';
import { requirePart } from '../../support/parts.ts';
import { startServer, type TestServer } from '../../support/server.ts';
import { until } from '../../support/until.ts';

const ASKING =
  'Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQAoAAAAAIAAAAA\r\n';

for (const scheme of ['http', 'https'] as const) {
  describe(`requests over ${scheme} that offer another protocol`, () => {
    let server: TestServer;
    let open: () => Socket;

    before(async function () {
      if (scheme === 'http') server = await startServer({ HMAC_SECRET });
      else {
        requirePart(this, 'openssl');
        const authority = await createAuthority();
        const { cert, key } = await authority.issue('server');
        const ca = await readFile(authority.ca);
        server = await startServer({ HMAC_SECRET, TLS_CERT: cert, TLS_KEY: key });
        open = () => connectTls({ port: Number(new URL(server.url).port), host: '127.0.0.1', ca });
      }
      const { port } = new URL(server.url);
      if (scheme === 'http') open = () => connect(Number(port), '127.0.0.1');
    });
    after(() => server?.stop());

    it('[HTTP-2] are answered as if they did not, body and keep-alive included', async () => {
      const socket = open();
      let got = '';
      socket.on('data', (chunk) => {
        got += String(chunk);
      });
      const body = JSON.stringify({ content: 'x'.repeat(300_000) });
      const headers = `Host: localhost\r\n${ASKING}Authorization: Bearer ${roomToken('chat')}\r\nContent-Type: application/json\r\n`;
      const head = `POST /chat/postcontent HTTP/1.1\r\n${headers}Content-Length: ${body.length}\r\n\r\n`;
      socket.write(head + body.slice(0, 10));
      socket.write(body.slice(10));
      await until(() => got.includes('"success":true'));
      for (const answers of [2, 3]) {
        socket.write(`GET /healthz HTTP/1.1\r\nHost: localhost\r\n${ASKING}\r\n`);
        await until(() => got.match(/HTTP\/1\.1 200 OK/g)?.length === answers);
      }
      socket.destroy();
    });

    it('[HTTP-2] a request that offers something unknown to a WebSocket address is no WebSocket', async () => {
      const socket = open();
      let got = '';
      socket.on('data', (chunk) => {
        got += String(chunk);
      });
      socket.write('GET /ws HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: other\r\n\r\n');
      await until(() => /^HTTP\/1\.1 404 /.test(got));
      socket.destroy();
    });
  });
}
