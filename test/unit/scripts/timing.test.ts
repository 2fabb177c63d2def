import assert from 'node:assert/strict';
import { guess } from '../../../scripts/fuzz/guesses.ts';
import { generator } from '../../../scripts/fuzz/mutate.ts';
import { T_MAX, welch } from '../../../scripts/fuzz/timing.ts';

describe('measuring comparisons of secrets', () => {
  const random = generator(7);
  /** Times like those of a machine with other things to do: a spread, and now and then something long. */
  const times = (mean: number) =>
    Array.from({ length: 10_000 }, () => mean + 400 * random() + (random() < 0.02 ? 50_000 * random() : 0));

  it('finds no difference where there is none, whatever else the machine does', () => {
    const { t } = welch(times(1000), times(1000));
    assert.ok(Math.abs(t) < T_MAX, String(t));
  });

  it('finds one of 2 % of a comparison', () => {
    const { t, means } = welch(times(1000), times(1020));
    assert.ok(t < -T_MAX, String(t));
    assert.ok(means[1] > means[0]);
  });

  it('guesses near the secret, and never it', () => {
    const below = (limit: number) => Math.floor(random() * limit);
    const guesses = Array.from({ length: 2000 }, () => guess('a-secret-of-some-length', below));
    assert.ok(!guesses.includes('a-secret-of-some-length'));
    assert.ok(guesses.some((one) => one.startsWith('a-secret-of-some-lengt')));
    assert.ok(guesses.some((one) => one.endsWith('secret-of-some-length')));
  });
});
