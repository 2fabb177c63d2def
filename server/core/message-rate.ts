export type RateVerdict = 'pass' | 'warn' | 'drop' | 'close';

/**
 * The message limit of one connection [WS-5]: `rate` messages a second, twice that at once. The first message over it is
 * answered with an error, the following are dropped; whoever goes on for another burst is cut.
 */
export function createMessageRate(rate: number, now: () => number = () => performance.now()) {
  const burst = rate * 2;
  let tokens = burst;
  let last = now();
  let dropped = 0;
  return (): RateVerdict => {
    const at = now();
    tokens = Math.min(burst, tokens + ((at - last) / 1000) * rate);
    last = at;
    if (tokens >= 1) {
      tokens -= 1;
      if (tokens > rate) dropped = 0;
      return 'pass';
    }
    dropped += 1;
    if (dropped === 1) return 'warn';
    return dropped > burst ? 'close' : 'drop';
  };
}
