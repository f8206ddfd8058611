import { expect, test } from '@jest/globals'
import { safeName } from '../../demo/safe-name.js'

test.each([
  ['report.zip', 'report.zip'],
  ['Übersicht 2026.pdf', 'Übersicht 2026.pdf'],
  ['../../etc/passwd', 'passwd'],
  ['C:\\fakepath\\report.zip', 'report.zip'],
  ['..', 'unnamed'],
  ['', 'unnamed'],
  ['.htaccess', 'htaccess'],
  ['a\u0000b<c>:d?.txt', 'a_b_c__d_.txt'],
  ['CON', '_CON'],
  ['nul.txt', '_nul.txt'],
  ['lpt1', '_lpt1'],
  ['BITS-Sessions', '_BITS-Sessions'],
  ['bits-\u200bsessions', '_bits-sessions'],
  ['ＢＩＴＳ-Sessions', '_BITS-Sessions'],
  ['report.zip. . ', 'report.zip'],
  ['a\u2044b', 'a\u2044b'],
])('%j is stored as %j', (given, stored) => {
  expect(safeName(given)).toBe(stored)
})

test('a long name is cut between characters, before its extension', () => {
  const name = safeName(`${'😀'.repeat(100)}.tar`)
  expect(name).toMatch(/^(?:😀)+\.tar$/u)
  expect(Buffer.byteLength(name)).toBeLessThanOrEqual(200)
})
