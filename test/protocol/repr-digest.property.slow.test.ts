import { expect, test } from '@jest/globals'
import { BitsError } from 'express-bits-upload'
import fc from 'fast-check'
import { parseReprDigest } from '../../lib/protocol/parse-repr-digest.js'
import { formatReprDigest } from '../../lib/protocol/repr-digest.js'
import { anyText } from '../support/any-text.js'

const bytes = (length: number) =>
  fc.uint8Array({ minLength: length, maxLength: length }).map((value) => Buffer.from(value).toString('hex'))

test('every Repr-Digest is read as it was written', () => {
  const digests = fc
    .tuple(fc.option(bytes(32)), fc.option(bytes(64)))
    .map(([sha256, sha512]) => [
      ...(sha256 === null ? [] : [{ algorithm: 'sha256' as const, value: sha256 }]),
      ...(sha512 === null ? [] : [{ algorithm: 'sha512' as const, value: sha512 }]),
    ])
  fc.assert(
    fc.property(digests, (value) => {
      expect(parseReprDigest(formatReprDigest(value))).toEqual(value)
    }),
  )
})

test('any text is read, or refused as the fault of the client', () => {
  const part = fc.constantFrom(
    'sha-256',
    'sha-512',
    '=',
    ':',
    'AAAA',
    ',',
    ' ',
    ';a',
    '"',
    '(',
    ')',
    '?1',
    '@',
    '1',
  )
  const texts = fc.oneof(
    anyText(),
    fc.array(part).map((parts) => parts.join('')),
  )
  fc.assert(
    fc.property(texts, (text) => {
      try {
        for (const { value } of parseReprDigest(text)) expect(value).toMatch(/^(?:[0-9a-f]{64}){1,2}$/)
      } catch (error) {
        if (!(error instanceof BitsError)) throw error
        expect([error.status, error.hresult]).toEqual([400, 0x80070057])
      }
    }),
  )
})
