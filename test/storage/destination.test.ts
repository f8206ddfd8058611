import { posix, win32 } from 'node:path'
import { describe, expect, test } from '@jest/globals'
import fc from 'fast-check'
import { BitsError } from '../../lib/protocol/bits-error.js'
import { parseDestination, pathOf } from '../../lib/protocol/destination.js'
import { anyText } from '../support/any-text.js'

describe('the destination of a URL', () => {
  test.each([
    ['/a/b.txt', 'a/b.txt'],
    ['/a//b.txt', 'a/b.txt'],
    ['/', ''],
    ['', ''],
    ['/a/', 'a/'],
    ['/a%20b', 'a b'],
    ['/a?b#c', 'a'],
    ['/a#b?c', 'a'],
    ['HTTPS://user@host:8080/a/b?c', 'a/b'],
    ['http://host', ''],
    ['/e%CC%81', 'é'],
    ['/%25', '%'],
    ['/%252e%252e', '%2e%2e'],
    [`/${Buffer.from('ä漢').toString('latin1')}`, 'ä漢'],
    [`/%e6${Buffer.from('漢').subarray(1).toString('latin1')}`, '漢'],
  ])('of %j is %j', (url, destination) => {
    expect(parseDestination(url)).toBe(destination)
  })

  test('is the same after another round trip through a URL', () => {
    fc.assert(
      fc.property(trickyPath, (url) => {
        const destination = tryDestination(url)
        if (destination === undefined) return
        const again = `/${destination.split('/').map(encodeURIComponent).join('/')}`
        expect(parseDestination(again)).toBe(destination)
      }),
    )
  })

  test('never leads out of the directory on any platform, whatever the URL', () => {
    fc.assert(
      fc.property(trickyPath, (url) => {
        const destination = tryDestination(url)
        if (destination === undefined) return
        expect(posix.resolve('/root/of/it', destination)).toMatch(/^\/root\/of\/it(\/|$)/)
        expect(win32.resolve('C:\\root\\of\\it', destination)).toMatch(/^C:\\root\\of\\it(\\|$)/)
        expect(destination).not.toMatch(/\0|\\|:|(^|\/)\.{1,2}(\/|$)/)
        expect(destination.toLowerCase().split('/')).not.toContain('bits-sessions')
      }),
      { numRuns: 5000 },
    )
  })
})

/** A refusal must be a BitsError: any other error would be reported as a fault of the server. */
function tryDestination(url: string): string | undefined {
  try {
    return parseDestination(url)
  } catch (error) {
    expect(error).toBeInstanceOf(BitsError)
    return undefined
  }
}

const piece = fc.oneof(
  fc.constantFrom(
    '.',
    '..',
    '/',
    '\\',
    '%',
    '%2e',
    '%2E%2e',
    '%2f',
    '%5c',
    '%00',
    '%25',
    ':',
    'C:',
    ' ',
    '~',
    '?',
    '#',
  ),
  fc.constantFrom(
    'http://',
    '//host',
    'CON',
    'nul.txt',
    'BITS-Sessions',
    'bits-ſessions',
    '%E2%80%8B',
    '．',
    '／',
  ),
  anyText(),
  fc.string({ unit: 'grapheme' }).map((text) => encodeURIComponent(text)),
)
const trickyPath = fc.array(piece, { maxLength: 12 }).map((pieces) => `/${pieces.join('')}`)

test('the path of a request target ends before the query and fragment', () => {
  expect(pathOf('/a/b?c')).toBe('/a/b')
  expect(pathOf('http://host:1/a?b\nc')).toBe('/a')
  expect(pathOf('/http://host/a')).toBe('/http://host/a')
})
