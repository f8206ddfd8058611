import type { Figures } from './measure.js'
import type { Scenario } from './scenario.js'

/** A performance target of the middleware. */
export interface Target {
  readonly text: string
  readonly measured: string
  readonly reached: boolean
}

/** Formats the figures of a scenario as a table. */
export function table({ title, unit, per }: Scenario, figures: readonly Figures[]): string {
  const head = ['', `${unit}/s`, 'ratio', `CPU s / ${per.name}`, 'ratio', 'peak MB']
  const rows = figures.map(({ name, rate, rateRatio, cpu, cpuRatio, peak }) => [
    name,
    rate.toFixed(0),
    rateRatio.toFixed(2),
    cpu.toFixed(3),
    cpuRatio.toFixed(2),
    megabytes(peak),
  ])
  return `${title}\n${aligned([head, ...rows])}\n`
}

export const targetTable = (targets: readonly Target[]): string =>
  `Targets\n${aligned(targets.map(({ text, measured, reached }) => [text, measured, reached ? 'reached' : 'NOT reached']))}\n`

export const megabytes = (bytes: number): string => (bytes / 1e6).toFixed(0)

/** Aligns the first column to the left and the others to the right. */
export function aligned(rows: readonly (readonly string[])[]): string {
  const widths = (rows[0] ?? []).map((_, n) => Math.max(...rows.map((row) => row[n]?.length ?? 0)))
  const cell = (text: string, n: number) =>
    n === 0 ? text.padEnd(widths[n] ?? 0) : text.padStart(widths[n] ?? 0)
  return rows.map((row) => `  ${row.map(cell).join('   ')}`).join('\n')
}
