import { randomBytes } from 'node:crypto';
import net from 'node:net';

/** Time from the end of what is sent to the server's end of the connection, in ms. */
const END_MS = 15_000;
/** Characters of the answer that are kept. */
const HEAD = 300;

export interface Shot {
  path: string;
  /** Further header lines of the upgrade. */
  headers?: readonly string[];
  /** Sent one after the other, each when what has come since the last one fits `after`; null: at once. */
  steps: readonly { after: RegExp | null; bytes: Buffer }[];
}

/** After the answer to the upgrade. */
export const UPGRADED = /\r\n\r\n/;

/** Opens a connection, sends everything, ends its side, and waits for the server to end it. @throws Error where it is not let in or not ended */
export function shoot(port: number, shot: Shot): Promise<void> {
  return new Promise((resolve, reject) => {
    const socket = net.connect({ port, host: '127.0.0.1' });
    let head = '';
    let came = '';
    let sent = 0;
    /** Sends what is due, and ends the connection behind the last of it. */
    const proceed = () => {
      for (let step = shot.steps[sent]; step; step = shot.steps[sent]) {
        if (step.after !== null && !step.after.test(came)) return;
        came = '';
        sent += 1;
        if (sent === shot.steps.length) socket.end(step.bytes);
        else socket.write(step.bytes);
      }
    };
    const timer = setTimeout(() => {
      socket.destroy();
      reject(new Error(`${shot.path.split('?')[0]}: the connection was not ended within ${END_MS} ms`));
    }, END_MS);
    socket.on('connect', () => {
      const lines = [
        `GET ${shot.path} HTTP/1.1`,
        'Host: 127.0.0.1',
        'Upgrade: websocket',
        'Connection: Upgrade',
        'Sec-WebSocket-Version: 13',
        `Sec-WebSocket-Key: ${randomBytes(16).toString('base64')}`,
        ...(shot.headers ?? []),
      ];
      socket.write(`${lines.join('\r\n')}\r\n\r\n`);
      proceed();
    });
    socket.on('data', (data) => {
      if (head.length < HEAD) head += data.toString('latin1', 0, HEAD);
      if (sent === shot.steps.length) return;
      came += data.toString('latin1');
      proceed();
    });
    // The server may break off what it does not like; whether it still runs is looked at elsewhere.
    socket.on('error', () => {});
    socket.on('close', () => {
      clearTimeout(timer);
      if (head.startsWith('HTTP/1.1 101 ') || (head === '' && sent > 0)) resolve();
      else reject(new Error(`${shot.path.split('?')[0]}: not let in: ${head}`));
    });
  });
}
