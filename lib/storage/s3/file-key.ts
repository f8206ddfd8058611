import { BitsError } from '../../protocol/bits-error.js'
import { describeValue } from '../../validation/describe-value.js'

/** Maximum length of a key in bytes. */
const MAX_KEY = 1024

/**
 * The key of a file.
 *
 * @throws BitsError `destination-refused` if it is too long, or under the staging prefix.
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
