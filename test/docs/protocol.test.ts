import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from '@jest/globals'
import { documentText } from './documents.js'
import { ROOT } from './temp-project.js'

/** The rows of all tables of decisions: number, decision, reason. */
const rows = [...documentText('docs/protocol.md').matchAll(/^\| (D\d+) \| (.*) \| (.*) \|$/gm)]
const decided = rows.map(([, number]) => number)

/** A decision cited in code, tests and documents: `D11`, but neither `MD5` nor an identifier such as `D3D`. */
const CITATION = /(?<![\w-])D\d{1,2}(?![\w-])/g

function citations(directory: string): { file: string; number: string }[] {
  return readdirSync(join(ROOT, directory), { recursive: true, encoding: 'utf8' })
    .filter((path) => /\.(?:ts|js|mjs|md)$/.test(path) && !/(?:^|[\\/])\.blocks-/.test(path))
    .flatMap((path) => {
      const file = join(directory, path)
      const text = readFileSync(join(ROOT, file), 'utf8')
      return [...text.matchAll(CITATION)].map(([number]) => ({ file, number }))
    })
}

describe('protocol decisions', () => {
  test.each(['lib', 'types', 'test', 'demo', 'docs'])(
    'every decision cited in %s has an entry',
    (directory) => {
      const unknown = citations(directory).filter(({ number }) => !decided.includes(number))
      expect(unknown).toEqual([])
    },
  )

  test('code cites decisions at all', () => {
    expect(new Set(citations('lib').map(({ number }) => number)).size).toBeGreaterThan(15)
  })

  test('each has one entry, with a decision and a reason', () => {
    expect(decided).toEqual([...new Set(decided)])
    for (const [, number, decision, reason] of rows) {
      expect([number, decision, reason]).not.toContain('')
    }
    const numbers = decided.map((number) => Number(number?.slice(1))).sort((a, b) => a - b)
    expect(numbers).toEqual(Array.from({ length: 40 }, (_, index) => index + 1))
  })
})
