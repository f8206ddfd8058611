/** Milliseconds in which one attempt has to stay below the limit. */
const PATIENCE = 3000

/**
 * Repeats `work`, which may throw, until one attempt takes less than `limit` milliseconds, or for three seconds: memory
 * may be collected or code compiled during an attempt, and a busy machine may be slow for a while.
 *
 * @returns the milliseconds of the fastest attempt.
 */
export function leastTime(work: () => unknown, limit: number): number {
  let least = Number.POSITIVE_INFINITY
  for (const end = performance.now() + PATIENCE; least >= limit && performance.now() < end; ) {
    least = Math.min(least, timeOf(work))
  }
  return least
}

/**
 * By the wall clock, which counts the turns of other processes, or of CPU time, which counts the other threads of this
 * one; whichever is less.
 */
function timeOf(work: () => unknown): number {
  const start = performance.now()
  const cpu = process.cpuUsage()
  try {
    work()
  } catch {
    // A refusal takes time as well.
  }
  const { user, system } = process.cpuUsage(cpu)
  return Math.min((user + system) / 1000, performance.now() - start)
}
