import { waitedMs } from '../../scripts/chaos/processor.ts';

/** Between two ticks of the stopwatches, in ms. */
const TICK_MS = 5;
/** What lies between two ticks counts so much at most, in ms, unless this process was busy itself. */
const STALL_MS = 25;

let last = performance.now();
let lastCpu = process.cpuUsage();
let lastWaited = waitedMs(process.pid) ?? 0;
/** Fair time so far, in ms. */
let passed = 0;

function tick(): void {
  const now = performance.now();
  const gap = now - last;
  last = now;
  const cpu = process.cpuUsage(lastCpu);
  lastCpu = process.cpuUsage();
  const waited = waitedMs(process.pid) ?? 0;
  passed += Math.max(
    0,
    Math.min(gap - (waited - lastWaited), Math.max(STALL_MS, (cpu.user + cpu.system) / 1000)),
  );
  lastWaited = waited;
}
setInterval(tick, TICK_MS).unref();

/**
 * Starts a stopwatch for promises of the kind "within 1 s". It runs like the clock on the wall, but is not held against the
 * code under test that the machine was busy with other things: waits for a processor do not count, as far as the kernel
 * tells, and any other stretch in which this process was not let run counts STALL_MS. What it used of the CPU itself
 * always counts.
 *
 * @returns a function that tells the ms since now; for promises of the kind "not before" use the clock on the wall
 */
export function startStopwatch(): () => number {
  tick();
  const start = passed;
  return () => {
    tick();
    return passed - start;
  };
}

/** How often it is looked at the event loop, in ms. */
const LOOK_MS = 5;

/** Watches for how long, in ms of a stopwatch, the event loop of this process does not come round. */
export function watchLoop(): { longest(): number; stop(): void } {
  let longest = 0;
  let elapsed = startStopwatch();
  const timer = setInterval(() => {
    longest = Math.max(longest, elapsed() - LOOK_MS);
    elapsed = startStopwatch();
  }, LOOK_MS);
  return { longest: () => longest, stop: () => clearInterval(timer) };
}
