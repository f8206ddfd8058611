import { posix, win32 } from 'node:path'
import { expect, test } from '@jest/globals'
import { BitsError } from 'express-bits-upload'
import fc from 'fast-check'
import { parseDestination } from '../../lib/protocol/destination.js'
import { anyText } from '../support/any-text.js'

/** The building blocks of attacks. */
const pieces = fc.constantFrom(
  ...[
    '/',
    '//',
    '.',
    '..',
    '...',
    '\\',
    '%2f',
    '%2F',
    '%5c',
    '%2e',
    '%2e%2e',
    '%252e',
    '%c0%ae',
    '%00',
    '%0a',
  ],
  ...[
    '%',
    '%f',
    '%zz',
    '%ff',
    '%u002e',
    '?',
    '#',
    ':',
    'c:',
    'C%3a',
    '*',
    '|',
    '"',
    '<',
    ' ',
    '%20',
    '~1',
    '$',
  ],
  ...['BITS-Sessions', 'bits-sessions', 'BITS%2dSessions', 'CON', 'nul.txt', 'com1', 'lpt\u00b9', 'aux .x'],
  ...[
    'http://host',
    'HTTP://h:80',
    'file:///',
    'a',
    'b.txt',
    '\u00e9',
    'e\u0301',
    '\uff0e\uff0e',
    '\u2024\u2024',
  ],
  ...['\uff0f', '\u2215', '\u200b', '\u202e', '\ufeff', '\u0000', '\u007f', '\u0085', '\u{1f600}'],
)

const encoded = fc
  .uint8Array({ maxLength: 40 })
  .map((bytes) => [...bytes].map((byte) => `%${byte.toString(16).padStart(2, '0')}`).join(''))

const urls = fc.oneof(
  fc.array(pieces, { maxLength: 12 }).map((parts) => `/${parts.join('')}`),
  fc.array(fc.oneof(pieces, encoded), { maxLength: 12 }).map((parts) => parts.join('')),
  anyText(),
  anyText().map((text) => `/${encodeURIComponent(text)}`),
  encoded,
  fc.webUrl({ withQueryParameters: true, withFragments: true }),
)

/** The destination, or `undefined` if it is refused. Any other error fails the test. */
function destination(url: string): string | undefined {
  try {
    return parseDestination(url)
  } catch (error) {
    if (!(error instanceof BitsError)) throw error
    expect(['malformed-packet', 'destination-refused']).toContain(error.code)
    return undefined
  }
}

const asUrl = (path: string): string => `/${path.split('/').map(encodeURIComponent).join('/')}`

test('D33: no path leads out of the directory, on no system', () => {
  fc.assert(
    fc.property(urls, (url) => {
      const result = destination(url)
      if (result === undefined) return
      for (const [path, root] of [
        [posix, '/srv/uploads'],
        [win32, 'D:\\srv\\uploads'],
      ] as const) {
        const resolved = path.resolve(root, result)
        const relative = path.relative(root, resolved)
        // There is no '..' and no drive, so the remainder is exactly the destination.
        expect(relative.split(path.sep)).toEqual(result.replace(/\/$/, '').split('/'))
        expect(resolved === root || resolved.startsWith(root + path.sep)).toBe(true)
      }
    }),
    { numRuns: 2000 },
  )
})

test('D33: no segment is one that Windows or this server treats as special', () => {
  fc.assert(
    fc.property(urls, (url) => {
      const special = (segment: string) =>
        /[\\:*?"<>|]|\p{Cc}|[. ]$/u.test(segment) ||
        /^(?:con|prn|aux|nul|com\d|lpt\d)(?:\s*\.|$)/i.test(segment) ||
        segment.toLowerCase() === 'bits-sessions' ||
        Buffer.byteLength(segment) > 255 ||
        segment !== segment.normalize('NFC')
      expect(destination(url)?.replace(/\/$/, '').split('/').filter(special) ?? []).toEqual([])
    }),
    { numRuns: 2000 },
  )
})

test('D33: a destination names itself: decoding it again changes nothing', () => {
  fc.assert(
    fc.property(urls, (url) => {
      const result = destination(url)
      if (result !== undefined) expect(destination(asUrl(result))).toBe(result)
    }),
    { numRuns: 2000 },
  )
})

test('D33: every ordinary name is taken as it is', () => {
  const name = fc.stringMatching(/^[\p{L}\p{N}_][\p{L}\p{N}_ ()+,=@-]{0,20}[\p{L}\p{N}_]$/u)
  const ordinary = name
    .map((text) => text.normalize('NFC'))
    .filter((text) => !/^(?:con|prn|aux|nul|com.|lpt.)$/i.test(text.normalize('NFKC')))
    .filter((text) => Buffer.byteLength(text) <= 255)
  fc.assert(
    fc.property(fc.array(ordinary, { minLength: 1, maxLength: 4 }), (segments) => {
      const path = segments.join('/')
      expect(parseDestination(asUrl(path))).toBe(path)
      expect(parseDestination(`http://host${asUrl(path)}?query#fragment`)).toBe(path)
    }),
    { numRuns: 1000 },
  )
})
