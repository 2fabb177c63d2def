import { randomBytes } from 'node:crypto';
import net from 'node:net';
import { now } from './clock.ts';
import { clientFrame, createFrameScanner, type FrameScanner } from './frames.ts';
import { MARK } from './lines.ts';
import type { SinkAnswer, SinkOptions, SinkRequest } from './sink-types.ts';

/**
 * The receiving side as a process of its own: raw TCP sockets that do the WebSocket handshake and then only count marker
 * bytes, so that it is the server that is measured. Started by `startSink` with its options as JSON.
 */
const TEXT = 1;
const BINARY = 2;
/** Opened at once; a listen queue holds more, a login need not. */
const OPENING = 50;

const options = JSON.parse(process.argv[2] ?? '{}') as SinkOptions;
const send = (answer: SinkAnswer) => process.send?.(answer);

interface Peer {
  socket: net.Socket;
  scanner: FrameScanner;
  answered: boolean;
  stuck: boolean;
}

const peers: Peer[] = [];
let bytes = 0;
let ready = 0;
let waiting = 0;
let expected = Number.POSITIVE_INFINITY;
let opened = 0;
let delays: number[] = [];

/** All sockets read into the same memory: what is not looked at needs no copy. */
const memory = Buffer.allocUnsafeSlow(262_144);

function handshake(): string {
  const head = [
    `GET ${options.path} HTTP/1.1`,
    `Host: ${options.host}:${options.port}`,
    'Upgrade: websocket',
    'Connection: Upgrade',
    'Sec-WebSocket-Version: 13',
    `Sec-WebSocket-Key: ${randomBytes(16).toString('base64')}`,
  ];
  return `${head.join('\r\n')}\r\n\r\n`;
}

function subscribed(peer: Peer): void {
  if (peer.answered) return;
  peer.answered = true;
  const { stampsEvery } = options;
  // Not the first ones only: a server may serve them first.
  const stamped = stampsEvery !== undefined && peers.indexOf(peer) % stampsEvery === stampsEvery - 1;
  peer.scanner.whole = options.delays === true || stamped;
  if (--waiting === 0) send({ kind: 'subscribed' });
}

function isConnected(): void {
  if (++ready === options.sockets) send({ kind: 'connected' });
  if (opened < options.sockets) open();
}

/** When journald took the line that an id names: bytes 4 to 11 of its key (journal/cursor.ts), in ms of the epoch. */
function journalMs(payload: string, at: number): number {
  const key = Buffer.from(payload.slice(at + 8, at + 24), 'base64url');
  return Number(key.readBigUInt64BE(3) & 0xff_ffff_ffff_ffffn) / 1000;
}

function measure(payload: string): void {
  const received = performance.timeOrigin + performance.now();
  const name = '"id":"';
  for (let at = payload.indexOf(name); at !== -1; at = payload.indexOf(name, at + 1)) {
    delays.push(received - journalMs(payload, at + name.length));
  }
}

function onPlain(peer: Peer, text: string): void {
  const { hello, stampsEvery } = options;
  if (!peer.answered && hello && text.includes(hello.answer)) {
    isConnected();
    subscribed(peer);
  }
  const stamp = stampsEvery === undefined ? null : /"sent":([\d.]+)/.exec(text);
  if (stamp) delays.push(now() - Number(stamp[1]));
}

function onPayload(peer: Peer, payload: Buffer): void {
  const text = payload.toString('latin1');
  const { protocol } = options;
  if (protocol === 'plain') onPlain(peer, text);
  if (protocol === 'nats') {
    if (text.startsWith('PING')) peer.socket.write(clientFrame(BINARY, 'PONG\r\n'));
    else if (text.includes('PONG')) {
      isConnected();
      subscribed(peer);
    }
    return;
  }
  if (protocol !== 'socketio') return;
  if (text === '2') peer.socket.write(clientFrame(TEXT, '3'));
  else if (text.startsWith('0{'))
    peer.socket.write(clientFrame(TEXT, `40${JSON.stringify(options.auth ?? {})}`));
  else if (text.startsWith('40')) isConnected();
  else if (text.startsWith('44')) send({ kind: 'failed', text });
  else if (text.startsWith('430')) {
    if (text.includes('"ok":false')) send({ kind: 'failed', text });
    else subscribed(peer);
  }
  if (options.delays && text.startsWith('42["log_')) measure(text);
}

function looked(): void {
  for (const { scanner, stuck } of peers) if (!stuck && scanner.marks < expected) return;
  const marks = peers.map(({ scanner }) => scanner.marks);
  send({ kind: 'done', at: now(), bytes, most: Math.max(...marks), sum: marks.reduce((a, b) => a + b, 0) });
  expected = Number.POSITIVE_INFINITY;
}

function open(): void {
  opened++;
  let upgraded = false;
  let head = Buffer.alloc(0);
  const socket = net.connect({
    port: options.port,
    host: options.host,
    noDelay: true,
    onread: {
      buffer: memory,
      callback(length, buffer) {
        bytes += length;
        take(Buffer.from(buffer.buffer, buffer.byteOffset, length));
        return true;
      },
    },
  });
  const scanner = createFrameScanner(MARK, (payload) => onPayload(peer, payload));
  const peer: Peer = { socket, scanner, answered: false, stuck: false };
  peers.push(peer);

  function take(chunk: Buffer): void {
    if (upgraded) {
      const before = scanner.marks;
      scanner.push(chunk);
      if (before < expected && scanner.marks >= expected) looked();
      return;
    }
    head = Buffer.concat([head, chunk]);
    const end = head.indexOf('\r\n\r\n');
    if (end === -1) return;
    if (!head.toString('latin1', 0, 16).includes(' 101 ')) {
      return void send({ kind: 'failed', text: head.toString('latin1', 0, 300) });
    }
    upgraded = true;
    if (options.protocol === 'nats') {
      socket.write(
        clientFrame(
          BINARY,
          `CONNECT {"verbose":false,"pedantic":false}\r\nSUB ${options.subject} 1\r\nPING\r\n`,
        ),
      );
    } else if (options.hello) {
      socket.write(clientFrame(TEXT, options.hello.send));
    } else if (options.protocol === 'plain') {
      isConnected();
      subscribed(peer);
    }
    const rest = head.subarray(end + 4);
    if (rest.length > 0) scanner.push(rest);
  }

  socket.on('connect', () => socket.write(handshake()));
  socket.on('error', (error) => send({ kind: 'failed', text: error.message }));
  socket.on('close', () => send({ kind: 'failed', text: 'a connection was closed' }));
}

process.on('message', (request: SinkRequest) => {
  if (request.do === 'subscribe') {
    waiting = peers.length;
    const text = `420${JSON.stringify(['subscribe_logs', request.payload])}`;
    for (const { socket } of peers) socket.write(clientFrame(TEXT, text));
  } else if (request.do === 'expect') {
    bytes = 0;
    delays = [];
    for (const { scanner } of peers) scanner.marks = 0;
    expected = request.marks;
    send({ kind: 'expecting' });
  } else if (request.do === 'stick') {
    const [peer] = peers;
    if (!peer) return;
    peer.stuck = request.stuck;
    if (request.stuck) peer.socket.pause();
    else peer.socket.resume();
    send({ kind: 'expecting' });
  } else if (request.do === 'report') {
    send({ kind: 'report', delays, counts: peers.map(({ scanner }) => scanner.marks), bytes });
  } else process.exit(0);
});
process.on('disconnect', () => process.exit(0));

waiting = options.sockets;
for (let n = 0; n < Math.min(OPENING, options.sockets); n++) open();
