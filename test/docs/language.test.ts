import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from '@jest/globals'
import { DOCUMENTS, proseOf } from './documents.js'
import { table } from './tables.js'

const ROOT = join(import.meta.dirname, '../..')
const avoided = table('Instead of').flatMap(([phrases = '']) => phrases.split(', '))

test.each(DOCUMENTS)('$file avoids the phrases that CONTRIBUTING.md lists', (document) => {
  expect(phrasesIn(proseOf(document).replace(/^\| Instead of \|.*?\n\n/ms, ''))).toEqual([])
})

test.each(['lib', 'types', 'demo', 'test'])('comments and messages in %s avoid them, too', (folder) => {
  const found = sourcesIn(folder).flatMap((file) =>
    phrasesIn(withoutMargins(readFileSync(join(ROOT, file), 'utf8'))).map((phrase) => `${file}: ${phrase}`),
  )
  expect(found).toEqual([])
})

test('a phrase is found across the lines of a comment', () => {
  const [phrase = ''] = avoided
  const split = phrase.replace(' ', '\n   * ')
  expect(phrasesIn(withoutMargins(`  /**\n   * The client ${split} something.\n   */`))).toEqual([phrase])
  expect(phrasesIn(withoutMargins(`  // The client ${phrase.replace(' ', '\n  // ')} something.`))).toEqual([
    phrase,
  ])
})

test('the list has phrases, and the folders have sources', () => {
  expect(avoided.length).toBeGreaterThan(8)
  expect(sourcesIn('lib').length).toBeGreaterThan(100)
})

function phrasesIn(text: string): string[] {
  const line = text.replace(/\s+/g, ' ')
  return avoided.filter((phrase) => new RegExp(`\\b${phrase}\\b`, 'i').test(line))
}

/** Removes the markers at the start of comment lines, so that sentences are contiguous. */
const withoutMargins = (source: string): string => source.replace(/^\s*(?:\/\/|\*(?!\/))/gm, '')

/** Skips hidden folders: other tests create and remove temporary ones while this one runs. */
const sourcesIn = (folder: string): string[] =>
  readdirSync(join(ROOT, folder), { withFileTypes: true }).flatMap((entry) => {
    const path = join(folder, entry.name)
    if (entry.isDirectory()) return /^\.|^node_modules$/.test(entry.name) ? [] : sourcesIn(path)
    return /\.(?:ts|js|mjs|html)$/.test(entry.name) ? [path] : []
  })
