import { expect, test } from '@jest/globals'
import { DOCUMENTS, proseOf } from './documents.js'
import { table } from './tables.js'

const avoided = table('Instead of').flatMap(([phrases = '']) => phrases.split(', '))

test.each(DOCUMENTS)('$file avoids the phrases that CONTRIBUTING.md lists', (document) => {
  const prose = proseOf(document)
    .replace(/^\| Instead of \|.*?\n\n/ms, '')
    .replace(/\s+/g, ' ')
  const found = avoided.filter((phrase) => new RegExp(`\\b${phrase}\\b`, 'i').test(prose))
  expect(found).toEqual([])
})

test('the list has phrases', () => {
  expect(avoided.length).toBeGreaterThan(8)
})
