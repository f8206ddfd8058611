import { existsSync } from 'node:fs'
import { join, posix } from 'node:path'
import { describe, expect, test } from '@jest/globals'
import { DOCUMENTS, type Document, documentText, headingsOf, proseOf } from './documents.js'
import { ROOT } from './temp-project.js'

interface Link {
  readonly target: string
  readonly line: number
}

/** Inline links, and the definitions of reference links. Code is skipped. */
function linksIn(document: Document): Link[] {
  const blank = (code: string) => code.replace(/[^\n]/g, ' ')
  const text = document.text.replace(/^```.*?^```$/gms, blank).replace(/`[^`\n]*`/g, blank)
  return [...text.matchAll(/\]\(([^)\s]+)\)|^\[[^\]]+\]:\s*(\S+)$/gm)].map((match) => ({
    target: match[1] ?? match[2] ?? '',
    line: text.slice(0, match.index).split('\n').length,
  }))
}

/** Anchors that GitHub and npm derive from headings. */
function anchorsOf(document: Document): string[] {
  const used = new Map<string, number>()
  return headingsOf(document).map((heading) => {
    const anchor = heading
      .toLowerCase()
      .replace(/[^\p{L}\p{N}_ -]/gu, '')
      .replaceAll(' ', '-')
    const before = used.get(anchor) ?? 0
    used.set(anchor, before + 1)
    return before === 0 ? anchor : `${anchor}-${before}`
  })
}

/** The problem with a link; `undefined` if the link works. */
function problemOf({ file }: Document, target: string): string | undefined {
  if (/^https:\/\//.test(target)) return undefined
  if (/^[a-z]+:/i.test(target)) return 'is neither relative nor https'
  const [path = '', anchor] = target.split('#')
  const found = path === '' ? file : posix.join(posix.dirname(file), path)
  if (found.startsWith('..') || !existsSync(join(ROOT, found)))
    return `leads to ${found}, which does not exist`
  if (anchor === undefined) return undefined
  const document = DOCUMENTS.find((candidate) => candidate.file === found)
  if (!document) return `has an anchor, but ${found} is not a document`
  return anchorsOf(document).includes(anchor) ? undefined : `leads to ${found}, which has no #${anchor}`
}

describe.each(DOCUMENTS)('$file', (document) => {
  test('every link leads to a file and a heading', () => {
    const problems = linksIn(document).flatMap(({ target, line }) => {
      const problem = problemOf(document, target)
      return problem === undefined ? [] : [`${document.file}:${line}: ${target} ${problem}`]
    })
    expect(problems).toEqual([])
  })
})

test('the checker finds broken files and anchors, and ignores code', () => {
  const text =
    '# A\n[1](docs/none.md) [2](#a) [3](#b) `[4](none)`\n```text\n[5](none)\n```\n[6]: docs/options.md#none\n'
  const document = { file: 'README.md', text }
  expect(linksIn(document)).toEqual([
    { target: 'docs/none.md', line: 2 },
    { target: '#a', line: 2 },
    { target: '#b', line: 2 },
    { target: 'docs/options.md#none', line: 6 },
  ])
  expect(problemOf(document, 'docs/none.md')).toContain('does not exist')
  expect(problemOf(document, 'docs/options.md#none')).toContain('has no #none')
  expect(problemOf(document, '../outside.md')).toContain('does not exist')
  expect(problemOf(document, 'http://example.com/')).toContain('neither relative nor https')
})

test('the README links to every page, and stays below 10 KB', () => {
  const readme = documentText('README.md')
  const linked = linksIn({ file: 'README.md', text: readme }).map(({ target }) => target.split('#')[0])
  const pages = DOCUMENTS.map(({ file }) => file).filter((file) => /^docs\/|^[A-Z]+\.md$/.test(file))
  expect(linked).toEqual(expect.arrayContaining(pages.filter((file) => file !== 'README.md')))
  expect(Buffer.byteLength(readme)).toBeLessThan(10_000)
})

test('every page has one title, and starts by saying what the reader will be able to do', () => {
  for (const document of DOCUMENTS.filter(({ file }) => file.startsWith('docs/'))) {
    const [title, ...start] = document.text.split('\n').filter((line) => line !== '')
    expect([document.file, title]).toEqual([document.file, expect.stringMatching(/^# /)])
    expect([document.file, start[0]]).toEqual([
      document.file,
      expect.stringMatching(/^This page (shows you|explains) /),
    ])
    expect([document.file, proseOf(document).match(/^# /gm)]).toEqual([document.file, ['# ']])
  }
})
