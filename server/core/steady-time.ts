/**
 * Epoch ms for deadlines and pauses: the time at the start of the process and what has passed since. A clock that is set
 * while the process runs (NTP, an administrator) makes none of them longer or shorter. What is told to others, or
 * compared with what they say, goes by Date.now.
 *
 * @returns whole ms: Redis takes no others
 */
export function steadyNow(): number {
  return Math.floor(performance.timeOrigin + performance.now());
}
