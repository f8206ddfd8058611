import { writeSync } from 'node:fs'

/** The fraction of repetitions to run under `npm run test:soak`: 1 for all, less if time is short. */
const SHARE = Number(process.env.SOAK ?? 0)
const SOAKING = SHARE > 0

/** Number of repetitions: `normal`, or up to `soaking` under `npm run test:soak`. */
export const times = (normal: number, soaking: number): number =>
  Math.max(normal, Math.round(soaking * SHARE))

/** Prints a line on the terminal if the test is long enough for someone to wait for it. */
export function tell(message: string): void {
  if (SOAKING) writeSync(2, `  ${message}\n`)
}

/** Milliseconds between two checks of a condition: the first and the longest pause. */
const FIRST_PAUSE = 5
const LONGEST_PAUSE = 50

/**
 * Resolves when `holds` returns true. Rejects after `patience` milliseconds. Checks less often the longer it waits: many
 * conditions cost a request or a list of files.
 */
export async function until(holds: () => boolean | Promise<boolean>, patience = 10_000): Promise<void> {
  const deadline = Date.now() + patience
  for (let pause = FIRST_PAUSE; !(await holds()); pause = Math.min(2 * pause, LONGEST_PAUSE)) {
    if (Date.now() > deadline)
      throw new Error(`The condition was not met within ${patience} ms: ${String(holds)}`)
    await new Promise((resolve) => setTimeout(resolve, pause))
  }
}
