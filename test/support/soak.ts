import { writeSync } from 'node:fs'

/** The share of the repetitions to run under `npm run test:soak`: 1 for all of them, less where time is short. */
const SHARE = Number(process.env.SOAK ?? 0)
const SOAKING = SHARE > 0

/** How often to repeat: `normal` times, or up to `soaking` times under `npm run test:soak`. */
export const times = (normal: number, soaking: number): number =>
  Math.max(normal, Math.round(soaking * SHARE))

/** A line on the terminal, when the test takes long enough for somebody to wait for it. */
export function tell(message: string): void {
  if (SOAKING) writeSync(2, `  ${message}\n`)
}

/** Resolves once `holds` does; rejects after `patience` milliseconds. */
export async function until(holds: () => boolean | Promise<boolean>, patience = 10_000): Promise<void> {
  const deadline = Date.now() + patience
  while (!(await holds())) {
    if (Date.now() > deadline) throw new Error(`It did not come to pass in ${patience} ms: ${String(holds)}`)
    await new Promise((resolve) => setTimeout(resolve, 5))
  }
}
