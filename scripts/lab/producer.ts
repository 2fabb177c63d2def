import { connect, type Socket } from 'node:net';
import { controlSocket } from './image.ts';

export interface Production {
  /** Lines a second, at most 5000 or so. */
  rate: number;
  count: number;
  /** Number of the first line. Default 1. */
  start?: number;
  /** Put before `seq=N`. */
  prefix?: string;
  /** Lines are padded with x to this many bytes. */
  size?: number;
}

/** A unit that was just started needs a moment until it takes requests. */
const CONNECT_TIMEOUT_MS = 5000;

/**
 * Sends one request to the process inside a unit (image/producer.pl) and waits for its answer.
 *
 * @param root the host's root folder as this machine sees it
 * @throws Error where the unit does not run, refuses, ends meanwhile or does not answer within `timeoutMs`
 */
export async function ask(
  root: string,
  unit: string,
  request: string,
  payload: Buffer,
  timeoutMs: number,
): Promise<string> {
  const socket = await connectTo(root, unit);
  return new Promise((resolve, reject) => {
    let answer = '';
    const fail = (message: string) => {
      socket.destroy();
      reject(new Error(`${unit}: ${message}`));
    };
    const timer = setTimeout(() => fail(`no answer within ${timeoutMs} ms to: ${request}`), timeoutMs);
    socket.on('data', (chunk) => {
      answer += chunk.toString();
      if (!answer.includes('\n')) return;
      socket.end();
      if (answer.startsWith('ok')) resolve(answer.slice(2).trim());
      else fail(answer.trim());
    });
    socket.on('error', (error) => fail(error.message));
    socket.on('close', () => {
      clearTimeout(timer);
      fail('its process ended before it answered');
    });
    socket.write(Buffer.concat([Buffer.from(`${request}\n`), payload]));
  });
}

async function connectTo(root: string, unit: string): Promise<Socket> {
  const deadline = Date.now() + CONNECT_TIMEOUT_MS;
  for (;;) {
    try {
      return await tryConnect(root + controlSocket(unit));
    } catch (error) {
      if (Date.now() > deadline) {
        throw new Error(`The unit ${unit} takes no lines, is it running? (${(error as Error).message})`);
      }
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  }
}

function tryConnect(path: string): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const socket = connect(path);
    socket.once('connect', () => {
      socket.off('error', reject);
      resolve(socket);
    });
    socket.once('error', reject);
  });
}
