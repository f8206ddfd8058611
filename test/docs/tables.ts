import { DOCUMENTS } from './documents.js'

/**
 * The rows of the only table in the documents with this first heading. Each row is an array of its cells, without the
 * surrounding backticks.
 */
export function table(firstCell: string): string[][] {
  const found = DOCUMENTS.flatMap(({ text }) => {
    const lines = text.split('\n')
    return lines.flatMap((line, index) =>
      line.startsWith(`| ${firstCell} |`) ? [lines.slice(index + 2)] : [],
    )
  })
  const [lines, another] = found
  if (!lines || another) throw new Error(`Expected one table "${firstCell}", found ${found.length}.`)
  const rows: string[][] = []
  for (const line of lines) {
    if (!line.startsWith('|')) break
    const cells = line.split(/(?<!\\)\|/).slice(1, -1)
    rows.push(cells.map((cell) => cell.trim().replace(/^`([^`]*)`$/, '$1')))
  }
  return rows
}

/** The names of the members of an interface in a source file, in order. */
export function membersOf(source: string, name: string, { optionalOnly = false } = {}): string[] {
  const body = new RegExp(`interface ${name}(?: extends [^{]*)? \\{\\n(.*?)\\n\\}`, 's').exec(source)?.[1]
  if (body === undefined) throw new Error(`There is no interface ${name}.`)
  const members = [...body.matchAll(/^ {2}(?:readonly )?(\w+)(\??)[:(]/gm)]
  return members.filter(([, , mark]) => mark === '?' || !optionalOnly).map(([, member = '']) => member)
}

/** The number that a cell starts with, as in `16,777,216 (16 MiB)`; `undefined` if it starts with anything else. */
export function numberOf(cell: string): number | undefined {
  const digits = /^[\d,]+(?:\.\d+)?/.exec(cell)?.[0]
  return digits === undefined ? undefined : Number(digits.replaceAll(',', ''))
}
