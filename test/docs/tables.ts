import { README } from './blocks.js'

/** The rows of the README's table whose head's first cell is this, each as its cells, without backticks around them. */
export function table(firstCell: string): string[][] {
  const lines = README.split('\n')
  const start = lines.findIndex((line) => line.startsWith(`| ${firstCell} |`))
  if (start < 0) throw new Error(`README.md has no table that begins with "${firstCell}".`)
  const rows: string[][] = []
  for (const line of lines.slice(start + 2)) {
    if (!line.startsWith('|')) break
    const cells = line.split(/(?<!\\)\|/).slice(1, -1)
    rows.push(cells.map((cell) => cell.trim().replace(/^`([^`]*)`$/, '$1')))
  }
  return rows
}

/** The names in a source's interface, in their order. */
export function membersOf(source: string, name: string): string[] {
  const body = new RegExp(`interface ${name}(?: extends [^{]*)? \\{\\n(.*?)\\n\\}`, 's').exec(source)?.[1]
  if (body === undefined) throw new Error(`There is no interface ${name}.`)
  return [...body.matchAll(/^ {2}(?:readonly )?(\w+)\??[:(]/gm)].map(([, member = '']) => member)
}

/** The number that a cell begins with, as in `16,777,216 (16 MiB)`; `undefined` when it begins otherwise. */
export function numberOf(cell: string): number | undefined {
  const digits = /^[\d,]+(?:\.\d+)?/.exec(cell)?.[0]
  return digits === undefined ? undefined : Number(digits.replaceAll(',', ''))
}
