import { randomBytes } from 'node:crypto';
import net from 'node:net';
import { clientFrame, createFrameScanner } from './frames.ts';
import { MARK } from './lines.ts';

/**
 * Viewers as a process of its own: Socket.IO over raw TCP, each of which comes back to the second server as soon as the
 * first has gone, all at once. Started by the bench with its options as JSON.
 */
export interface StormOptions {
  /** Of the server to begin with, and of the one to come back to. */
  ports: readonly [number, number];
  sockets: number;
  token: string;
  unit: string;
}

export type StormAnswer =
  | { kind: 'subscribed' }
  /** Ms from the end of its connection until each had its stream again, and how often that took another attempt. */
  | { kind: 'back'; times: number[]; retries: number; unrecovered: number }
  | { kind: 'failed'; text: string };

const TEXT = 1;
/** Connections opened at a time at the beginning; afterwards they come as they like. */
const OPENING = 50;
/** Before another attempt where the server did not take the connection, in ms. */
const RETRY_MS = 200;

const options = JSON.parse(process.argv[2] ?? '{}') as StormOptions;
const send = (answer: StormAnswer) => process.send?.(answer);
const times: number[] = [];
let started = 0;
let subscribed = 0;
let retries = 0;
let unrecovered = 0;

function handshake(port: number): string {
  return [
    'GET /socket.io/?EIO=4&transport=websocket HTTP/1.1',
    `Host: 127.0.0.1:${port}`,
    'Upgrade: websocket',
    'Connection: Upgrade',
    'Sec-WebSocket-Version: 13',
    `Sec-WebSocket-Key: ${randomBytes(16).toString('base64')}`,
    '\r\n',
  ].join('\r\n');
}

/** One viewer through both of its connections. */
function view(): void {
  let lastId: string | null = null;
  let lostAt: number | null = null;
  let inStream = false;

  function onPayload(socket: net.Socket, text: string): void {
    const say = (packet: string) => socket.write(clientFrame(TEXT, packet));
    if (text === '2') say('3');
    else if (text.startsWith('0{')) say(`40${JSON.stringify({ token: options.token })}`);
    else if (text.startsWith('44')) send({ kind: 'failed', text });
    else if (text.startsWith('42["authenticated"')) {
      const from = lastId === null ? { tail: 1 } : { after: lastId };
      say(`421${JSON.stringify(['subscribe_logs', { service: options.unit, batch: true, ...from }])}`);
    } else if (text.startsWith('42["log_batch"')) {
      lastId = [...text.matchAll(/"id":"([^"]+)"/g)].at(-1)?.[1] ?? lastId;
      if (lostAt === null && !inStream) entered();
    } else if (text.startsWith('431')) {
      if (!text.includes('"ok":true')) send({ kind: 'failed', text });
      else if (lostAt !== null) {
        if (!text.includes('"recovered":true')) unrecovered += 1;
        times.push(performance.now() - lostAt);
        if (times.length === options.sockets) send({ kind: 'back', times, retries, unrecovered });
      }
    }
  }

  /** In the stream for the first time, with a line to come back with. */
  function entered(): void {
    inStream = true;
    subscribed += 1;
    if (started < options.sockets) begin();
    if (subscribed === options.sockets) send({ kind: 'subscribed' });
  }

  function connect(port: number): void {
    let head = Buffer.alloc(0);
    let upgraded = false;
    const socket = net.connect({ port, host: '127.0.0.1', noDelay: true });
    const scanner = createFrameScanner(MARK, (payload) => onPayload(socket, payload.toString('latin1')));
    scanner.whole = true;
    socket.on('connect', () => socket.write(handshake(port)));
    socket.on('data', (chunk) => {
      if (upgraded) return scanner.push(chunk);
      head = Buffer.concat([head, chunk]);
      const end = head.indexOf('\r\n\r\n');
      if (end === -1) return;
      upgraded = true;
      if (!head.toString('latin1', 0, 16).includes(' 101 '))
        return void send({ kind: 'failed', text: head.toString('latin1', 0, 300) });
      if (head.length > end + 4) scanner.push(head.subarray(end + 4));
    });
    socket.on('error', () => {});
    socket.on('close', () => {
      if (!inStream) return void send({ kind: 'failed', text: 'a connection was closed before the storm' });
      if (lostAt === null) {
        lostAt = performance.now();
        return connect(options.ports[1]);
      }
      retries += 1;
      setTimeout(connect, RETRY_MS, options.ports[1]);
    });
  }
  connect(options.ports[0]);
}

function begin(): void {
  started += 1;
  view();
}

process.on('message', () => process.exit(0));
process.on('disconnect', () => process.exit(0));
for (let n = 0; n < Math.min(OPENING, options.sockets); n += 1) begin();
