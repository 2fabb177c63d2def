/** What the tests of this process started and the root hook ends, last started first. */
const pending: (() => Promise<void>)[] = [];

/** Registers something to be ended once after all test files. It must bear being called after it has been ended. */
export function atEnd(end: () => Promise<void>): void {
  pending.push(end);
}

/** Ends everything registered, each whether or not another one fails. @throws AggregateError of the failures */
export async function endAll(): Promise<void> {
  const errors: unknown[] = [];
  for (let end = pending.pop(); end; end = pending.pop()) {
    try {
      await end();
    } catch (error) {
      errors.push(error);
    }
  }
  if (errors.length > 0) throw new AggregateError(errors, 'Some of what the tests started did not end');
}
