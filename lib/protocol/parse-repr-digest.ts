import { types } from 'node:util'
import { parseDictionary } from 'structured-headers'
import type { FileDigest } from '../../types/digest.js'
import { BitsError } from './bits-error.js'
import { MAX_HEADER_LENGTH } from './headers.js'
import { DIGEST_ALGORITHMS, REPR_DIGEST } from './repr-digest.js'

/**
 * Parses a `Repr-Digest` (RFC 9530 3), a dictionary of byte sequences (RFC 9651). Unknown algorithms are ignored.
 *
 * @throws BitsError `malformed-packet`, also for a checksum of a wrong length; `header-too-long`.
 */
export function parseReprDigest(field: string): FileDigest[] {
  if (field.length > MAX_HEADER_LENGTH) {
    throw new BitsError(
      'header-too-long',
      `The header ${REPR_DIGEST} is longer than ${MAX_HEADER_LENGTH} bytes.`,
    )
  }
  const dictionary = parsed(field)
  return DIGEST_ALGORITHMS.flatMap(([algorithm, name, length]) => {
    const member = dictionary.get(name)
    if (member === undefined) return []
    const [bytes] = member
    if (!types.isArrayBuffer(bytes) || bytes.byteLength !== length)
      throw malformed(`"${name}" is not a byte sequence of ${length} bytes`)
    return [{ algorithm, value: Buffer.from(bytes).toString('hex') }]
  })
}

function parsed(field: string): ReturnType<typeof parseDictionary> {
  try {
    return parseDictionary(field)
  } catch (cause) {
    throw malformed('it is not a dictionary of RFC 9651', cause)
  }
}

const malformed = (why: string, cause?: unknown): BitsError =>
  new BitsError('malformed-packet', `The header ${REPR_DIGEST} is malformed: ${why}.`, { cause })
