export type RateVerdict = 'pass' | 'warn' | 'drop' | 'close';

export interface MessageRate {
  /** Counts a message at a time of the monotonic clock, ms. */
  count(at: number): RateVerdict;
}

/** A class, so that thousands of connections share its code. */
class TokenBucket implements MessageRate {
  private readonly rate: number;
  private tokens: number;
  private last: number;
  private dropped = 0;

  constructor(rate: number, at: number) {
    this.rate = rate;
    this.tokens = rate * 2;
    this.last = at;
  }

  count(at: number): RateVerdict {
    const { rate } = this;
    const burst = rate * 2;
    this.tokens = Math.min(burst, this.tokens + ((at - this.last) / 1000) * rate);
    this.last = at;
    if (this.tokens >= 1) {
      this.tokens -= 1;
      if (this.tokens > rate) this.dropped = 0;
      return 'pass';
    }
    this.dropped += 1;
    if (this.dropped === 1) return 'warn';
    return this.dropped > burst ? 'close' : 'drop';
  }
}

/**
 * The message limit of one connection [WS-5]: `rate` messages a second, twice that at once. The first message over it is
 * answered with an error, the following are dropped; whoever goes on for another burst is cut. It may be made with the
 * first message: until then nothing has to be counted.
 * @param at the time of its beginning, see `count`
 */
export function createMessageRate(rate: number, at: number): MessageRate {
  return new TokenBucket(rate, at);
}
