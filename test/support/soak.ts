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

/** Resolves when `holds` returns true. Rejects after `patience` milliseconds. */
export async function until(holds: () => boolean | Promise<boolean>, patience = 10_000): Promise<void> {
  const deadline = Date.now() + patience
  while (!(await holds())) {
    if (Date.now() > deadline)
      throw new Error(`The condition was not met within ${patience} ms: ${String(holds)}`)
    await new Promise((resolve) => setTimeout(resolve, 5))
  }
}
