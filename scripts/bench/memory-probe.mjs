// Preloaded into servers under test (node --expose-gc --import): tells the parent what memory is in use after a collection.
process.on('message', async (message) => {
  if (message?.do !== 'memory') return;
  for (let n = 0; n < 3; n++) {
    globalThis.gc?.();
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  process.send?.({ kind: 'memory', ...process.memoryUsage(), polluted: 'polluted' in {} });
});
// The listener must not keep a stopping server alive.
process.channel?.unref();
