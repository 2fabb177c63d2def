import { type UnlockResult, unlockKey } from './private-key.ts';

// A process of its own for one private key, started and limited by `private-key.ts`.
process.once('message', ({ text, passphrase }: { text: string; passphrase: string }) => {
  let result: UnlockResult;
  try {
    result = { key: unlockKey(text, passphrase) };
  } catch (error) {
    result = { error: error instanceof Error ? error.message : String(error) };
  }
  process.send?.(result, undefined, undefined, () => process.disconnect());
});
