import { readdirSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from '@jest/globals'
import { block } from './blocks.js'
import { documentText } from './documents.js'
import { ROOT } from './temp-project.js'

const diagram = block('text', { in: 'docs/architecture.md' }).text

test('the diagram has every folder of lib, and no other', () => {
  const drawn = [...diagram.matchAll(/\blib\/([\w-]+)\//g)].map(([, name]) => name)
  const folders = readdirSync(join(ROOT, 'lib'), { withFileTypes: true })
    .filter((entry) => entry.isDirectory())
    .map(({ name }) => name)
  expect(drawn.sort()).toEqual(folders.sort())
})

test('every path it names exists', () => {
  const text = documentText('docs/architecture.md') + documentText('CONTRIBUTING.md')
  const paths = [...text.matchAll(/(?<![\w/.])(?:lib|types|test|docs|\.ci)\/[\w./-]*[\w/]/g)].map(
    ([path]) => path,
  )
  expect(paths.length).toBeGreaterThan(20)
  for (const path of new Set(paths)) expect(() => statSync(join(ROOT, path))).not.toThrow()
})
