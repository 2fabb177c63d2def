/** `npm start` [RUN-1]: installs what is missing, builds what is stale, then is the server, in this same process. */
import { build, ensureDependencies, main } from './steps.mjs';

await main(async () => {
  await ensureDependencies();
  await build(['server', 'dashboard'], { onlyStale: true });
});
// In this process and not in a child, so that signals reach the server itself [RUN-5]; for the same reason the npm script
// begins with `exec`: npm runs it in a shell, which would end on a signal and leave the server behind.
await import('../dist/server/main.js');
