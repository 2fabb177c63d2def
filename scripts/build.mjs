/** `npm run build`: the server and client into dist/, the dashboard into dashboard/out. `--server`: without the dashboard. */
import { build, ensureDependencies, main } from './steps.mjs';

await main(async () => {
  await ensureDependencies();
  await build(process.argv.includes('--server') ? ['server'] : ['server', 'dashboard']);
});
