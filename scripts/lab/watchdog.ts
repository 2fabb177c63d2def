import { spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';

/**
 * Starts a small process that outlives this one and then takes its lab down, however this one ends.
 *
 * It sleeps on a pipe that the kernel closes with this process, and costs nothing until then.
 *
 * @returns ends the watch, for when the lab is down already
 */
export function watchOver(slot: number): () => void {
  const main = fileURLToPath(new URL('./main.ts', import.meta.url));
  const script = 'cat > /dev/null; exec "$0" --import=tsx "$1" bury "$2"';
  const child = spawn('sh', ['-c', script, process.execPath, main, String(slot)], {
    detached: true,
    stdio: ['pipe', 'ignore', 'ignore'],
    cwd: fileURLToPath(new URL('../..', import.meta.url)),
  });
  // Without flock or sh the next run's reaper remains.
  child.on('error', () => {});
  child.unref();
  const { stdin } = child;
  stdin.on('error', () => {});
  if ('unref' in stdin && typeof stdin.unref === 'function') stdin.unref();
  return () => {
    if (child.pid === undefined) return;
    try {
      process.kill(-child.pid, 'SIGKILL');
    } catch {
      // It has gone already.
    }
  };
}
