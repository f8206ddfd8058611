import { BitsError } from '../../protocol/bits-error.js'
import { describeValue } from '../../validation/describe-value.js'

/** Bytes of the longest key. */
const MAX_KEY = 1024

/**
 * The key of a file.
 *
 * @throws BitsError `destination-refused` when it is too long, or lies among staged data.
 * @throws TypeError when the option `key` returned something else.
 */
export function fileKey(
  toKey: (destination: string) => string,
  destination: string,
  stagingPrefix: string,
): string {
  const key: unknown = toKey(destination)
  if (typeof key !== 'string' || key === '') {
    throw new TypeError(
      `S3Storage: key(${JSON.stringify(destination)}) returned ${describeValue(key)}: return a key.`,
    )
  }
  const bytes = Buffer.byteLength(key)
  if (bytes > MAX_KEY) {
    throw new BitsError(
      'destination-refused',
      `The key of "${destination}" has ${bytes} bytes; S3 takes ${MAX_KEY}.`,
    )
  }
  if (key.startsWith(stagingPrefix)) {
    throw new BitsError(
      'destination-refused',
      `The key of "${destination}" is ${JSON.stringify(key)}: "${stagingPrefix}" is reserved.`,
    )
  }
  return key
}
