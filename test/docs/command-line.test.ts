import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, test } from '@jest/globals'
import { EXIT } from '../../lib/cli/output.js'
import { BLOCKS, block } from './blocks.js'
import { DOCUMENTS } from './documents.js'
import { table } from './tables.js'
import { ROOT } from './temp-project.js'

const PAGE = 'docs/command-line.md'

describe('commands that cannot be run here: compared with their source', () => {
  test('the exit codes are those of the code', () => {
    const codes = table('Exit code').flatMap(([code = '']) => code.split(', ').map(Number))
    expect(codes).toEqual([...Object.values(EXIT), 130, 143])
  })

  test('the lines for systemd are those of the unit', async () => {
    const unit = await readFile(join(ROOT, 'lib/cli/express-bits-upload.service'), 'utf8')
    const said = unit.split('\n').map((line) => line.replace(/^# */, ''))
    const lines = BLOCKS.filter((found) => found.section === `${PAGE}#systemd service`)
    expect(said).toEqual(expect.arrayContaining(lines.flatMap(({ text }) => text.trim().split('\n'))))
    for (const name of ['StateDirectory=bits-uploads', 'ExecStart=/usr/bin/env express-bits-upload'])
      expect(unit).toContain(name)
  })

  test('the lines for Docker are those of the Dockerfile', async () => {
    const dockerfile = await readFile(join(ROOT, 'Dockerfile'), 'utf8')
    for (const line of block('sh', { in: `${PAGE}#Container` })
      .text.trim()
      .split('\n')) {
      expect(dockerfile).toContain(`# ${line}\n`)
    }
  })
})

/** Flags of other programs that occur in the documents. */
const FOREIGN = [
  '--build',
  '--external',
  '--fdpass',
  '--global',
  '--no-summary',
  '--now',
  '--root',
  '--time',
  '--max-http-header-size',
  '--max-semi-space-size',
  '--test',
]

test('every flag that a document names exists', async () => {
  const files = await readdir(join(ROOT, 'lib/cli'), { recursive: true })
  const sources = await Promise.all(
    files.filter((file) => file.endsWith('.ts')).map((file) => readFile(join(ROOT, 'lib/cli', file), 'utf8')),
  )
  const known = [...sources.join('\n').matchAll(/'(?:-\w, )?(--[a-z0-9-]+)/g)].map(([, flag]) => flag)
  const bench = await readFile(join(ROOT, 'test/bench/main.ts'), 'utf8')
  known.push(...[...bench.matchAll(/^ {4}([a-z]+): \{ type: /gm)].map(([, flag]) => `--${flag}`))
  const named = DOCUMENTS.flatMap(({ text }) => [...text.matchAll(/(?<![\w-])--[a-z][a-z0-9-]+/g)])
  const flags = [...new Set(named.map(([flag]) => flag))]
  expect(flags.length).toBeGreaterThan(15)
  expect(flags.filter((flag) => !known.includes(flag) && !FOREIGN.includes(flag))).toEqual([])
})
