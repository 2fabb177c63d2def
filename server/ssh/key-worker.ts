import { parentPort, workerData } from 'node:worker_threads';
import { type UnlockResult, unlockKey } from './private-key.ts';

// A thread of its own for one private key: bcrypt in JavaScript would hold up everything else for half a second and more.
const { text, passphrase } = workerData as { text: string; passphrase: string };
let result: UnlockResult;
try {
  result = { key: unlockKey(text, passphrase) };
} catch (error) {
  result = { error: error instanceof Error ? error.message : String(error) };
}
parentPort?.postMessage(result);
