#!/usr/bin/env node
// A command-line client of the key validation protocol [WS-3].
//
//   node examples/key-validation-client.mjs [ws://localhost:3001] [serviceId] [hwid] [key]
//
// Commands: validate, exit. It answers the server's pings by itself and sends a heartbeat every 20 s; on a connection
// that is lost it tries again, waiting longer each time. Needs the package `ws` (npm install ws).
import { createInterface } from 'node:readline';
import { WebSocket } from 'ws';

const [base = 'ws://localhost:3001', serviceId = 'demo', hwid = 'demo-hardware', key = 'demo-key'] =
  process.argv.slice(2);

/** Between heartbeats, in ms: well below the 35 s of silence after which the server cuts a client. */
const HEARTBEAT_MS = 20_000;
/** Longest wait before another try, in ms. */
const RETRY_MAX_MS = 30_000;

const address = new URL('/', base);
for (const [name, value] of Object.entries({ serviceId, hwid, key })) address.searchParams.set(name, value);

const terminal = createInterface({ input: process.stdin, output: process.stdout, prompt: '> ' });
let socket;
let tries = 0;
let leaving = false;

function say(text) {
  console.log(text);
  terminal.prompt();
}

function send(message) {
  if (socket?.readyState === WebSocket.OPEN) socket.send(JSON.stringify(message));
  else say('Not connected.');
}

function show(message) {
  switch (message.type) {
    case 'welcome':
      return say(`${message.message}, as ${message.clientId}. Commands: validate, exit.`);
    case 'validation_response':
      return say(
        `${message.message}${message.reason ? ` (${message.reason})` : ''} ${JSON.stringify(message.data)}`,
      );
    case 'error':
      return say(`Error: ${message.message}`);
    default:
      // Answers to heartbeats need no words.
      return undefined;
  }
}

function connect() {
  socket = new WebSocket(address);
  let heartbeat;
  socket.on('open', () => {
    tries = 0;
    heartbeat = setInterval(() => send({ type: 'heartbeat' }), HEARTBEAT_MS);
  });
  socket.on('message', (data) => show(JSON.parse(data.toString())));
  socket.on('error', (error) => say(`Connection failed: ${error.message || error.code}`));
  socket.on('close', (code) => {
    clearInterval(heartbeat);
    if (leaving) return;
    const wait = Math.min(RETRY_MAX_MS, 1000 * 2 ** tries++) * (0.5 + Math.random() / 2);
    say(`Disconnected (${code}); trying again in ${Math.ceil(wait / 1000)} s.`);
    setTimeout(connect, wait).unref();
  });
}

terminal.on('line', (line) => {
  const command = line.trim();
  if (command === 'validate') send({ type: 'validate', serviceId, hwid, key });
  else if (command === 'exit') terminal.close();
  else if (command !== '') say('Commands: validate, exit.');
  else terminal.prompt();
});
terminal.on('close', () => {
  leaving = true;
  process.stdin.destroy();
  socket.close(1000);
});

connect();
