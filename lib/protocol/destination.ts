import { describeValue } from '../validation/describe-value.js'
import { BitsError } from './bits-error.js'
import { lenientForm } from './lenient-form.js'
import { isReservedName } from './reserved-folder.js'

const MAX_SEGMENT_BYTES = 255
/** UTF-16 units: beyond these no normal form fits, and reordering combining marks takes quadratic time. */
const MAX_RAW_SEGMENT = 4 * MAX_SEGMENT_BYTES
/** Each directory of a path costs system calls at publication (D33). */
const MAX_SEGMENTS = 64
/** Names that Windows reserves for devices, with any extension; `¹²³` count as digits there. */
const DEVICE = /^(?:con|prn|aux|nul|conin\$|conout\$|(?:com|lpt)[0-9¹²³])\s*(?:\.|$)/i
// biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what it looks for
const FORBIDDEN = /[\u0000-\u001f\u007f-\u009f\\:*?"<>|]/

/**
 * Converts the path of a request below the mount point to the relative path of its file (D33): percent-decoded once,
 * NFC, at most 64 segments joined by `/`. Empty for the mount point itself; a trailing `/` is kept, since it names a
 * directory.
 *
 * @param url request target in relative or absolute form, query and all.
 * @throws BitsError `malformed-packet` when the decoded path is not UTF-8; `destination-refused` when there are too
 * many segments, or when one could lead out of the directory or names something that Windows or this server treats as
 * special.
 */
export function parseDestination(url: string): string {
  const path = decodePath(pathOf(url))
  const segments = path
    .split('/')
    .filter((segment) => segment !== '')
    .map(normalized)
  if (segments.length > MAX_SEGMENTS) {
    throw new BitsError(
      'destination-refused',
      `The path has ${segments.length} segments: use at most ${MAX_SEGMENTS}.`,
    )
  }
  for (const segment of segments) refuseUnsafe(segment)
  return segments.join('/') + (segments.length > 0 && path.endsWith('/') ? '/' : '')
}

/**
 * Tells whether the form of a destination is that of a directory: the mount point itself, or a path that ends with
 * `/`.
 */
export const namesDirectory = (destination: string): boolean =>
  destination === '' || destination.endsWith('/')

export const directoryError = (destination: string): BitsError =>
  new BitsError('destination-is-directory', `"${destination}" is a directory.`)

/** A request target without scheme, authority and query, which a client may vary within one session (D32). */
export function pathOf(url: string): string {
  return url.replace(/^[a-z][a-z0-9+.-]*:\/\/[^/?#]*/i, '').replace(/[?#].*$/s, '')
}

function decodePath(path: string): string {
  // Node delivers bytes above 0x7F as Latin-1: escaped, they are decoded as UTF-8 together with the rest.
  const escaped = path.replace(/[\u0080-\u00ff]/g, (byte) => `%${byte.charCodeAt(0).toString(16)}`)
  try {
    return decodeURIComponent(escaped)
  } catch (cause) {
    throw new BitsError('malformed-packet', `The path ${describeValue(path)} is not percent-encoded UTF-8.`, {
      cause,
    })
  }
}

const normalized = (segment: string): string =>
  segment.length > MAX_RAW_SEGMENT ? segment : segment.normalize('NFC')

function refuseUnsafe(segment: string): void {
  const why = unsafeReason(segment)
  if (why) throw new BitsError('destination-refused', `The path segment ${describeValue(segment)} ${why}.`)
}

function unsafeReason(segment: string): string | undefined {
  if (segment === '..' || segment === '.') return 'would lead out of its directory'
  if (FORBIDDEN.test(segment)) return 'has a character that is not allowed in file names on Windows'
  if (/[. ]$/.test(segment)) return 'ends with a dot or a space'
  if (Buffer.byteLength(segment) > MAX_SEGMENT_BYTES) return `is longer than ${MAX_SEGMENT_BYTES} bytes`
  if (isReservedName(segment)) return 'is reserved for unfinished uploads'
  return DEVICE.test(lenientForm(segment)) ? 'is the name of a device on Windows' : undefined
}
