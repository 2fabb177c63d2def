import { endAll } from './at-end.ts';

/** Time for hosts and servers to end; most take well below a second. */
const END_TIMEOUT_MS = 60_000;

/** Mocha's root hooks: `--require test/support/hooks.ts`. */
export const mochaHooks = {
  async afterAll(this: Mocha.Context): Promise<void> {
    this.timeout(END_TIMEOUT_MS);
    await endAll();
  },
};
