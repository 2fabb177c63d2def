/** `npm run dev`: the server, restarted on changes, and the dashboard with hot reload on port 3000. */
import { spawn } from 'node:child_process';
import path from 'node:path';
import { ensureDependencies, main, ROOT, say } from './steps.mjs';

/** How long the programs may take to end before they are killed, in ms: the server's own limit is 10 s. */
const STOP_MS = 11_000;

await main(async () => {
  await ensureDependencies();
  const bin = (file) => path.join(ROOT, 'node_modules', file);
  const start = (args, cwd) =>
    spawn(process.execPath, args, {
      cwd,
      stdio: 'inherit',
      env: { ...process.env, NEXT_TELEMETRY_DISABLED: '1' },
    });
  say('server on http://localhost:3001, dashboard on http://localhost:3000');
  const children = [
    start([bin('tsx/dist/cli.mjs'), 'watch', '--clear-screen=false', 'server/main.ts'], ROOT),
    start(
      [bin('next/dist/bin/next'), 'dev', '--hostname', 'localhost', '--port', '3000'],
      path.join(ROOT, 'dashboard'),
    ),
  ];

  let exitCode = 0;
  let stopping = false;
  const stopAll = (signal) => {
    // Once: a second signal would end the server at once.
    if (stopping) return;
    stopping = true;
    for (const child of children) child.kill(signal);
    setTimeout(() => {
      for (const child of children) child.kill('SIGKILL');
    }, STOP_MS).unref();
  };
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.on(signal, () => stopAll(signal));
  const ends = children.map(
    (child) =>
      new Promise((resolve) => {
        child.once('close', (code) => {
          exitCode ||= code ?? 0;
          // One without the other is of no use.
          stopAll('SIGTERM');
          resolve();
        });
      }),
  );
  await Promise.all(ends);
  process.exit(exitCode);
});
