import { lenientForm } from './lenient-form.js'

/**
 * The folder below each upload directory that holds unfinished uploads and replies, named as in IIS
 * (BITSSessionDirectory). No upload may be stored in it, and nothing but replies may be read from it.
 */
export const RESERVED_NAME = 'BITS-Sessions'

/**
 * No file system allows longer names. They are not normalized: reordering their combining marks takes quadratic time.
 */
const MAX_NAME_LENGTH = 255
const LOWER_CASE_NAME = RESERVED_NAME.toLowerCase()
/** The 8.3 form that Windows generates for long names: from their first letters, or from two letters and a checksum. */
const SHORT_NAME = /^bi(?:ts-s|[0-9a-f]{4})~[0-9]{1,6}$/

/**
 * Tells whether some file system would treat a name as that of the folder in which uploads are staged
 * (`BITS-Sessions`). File systems may ignore case, compatibility forms and invisible characters; Windows also drops
 * trailing dots and spaces, takes what follows a colon for a stream of the file, and has a short form of the name.
 *
 * Use it in code that lists or serves the directory into which `bitsUpload()` stores files.
 *
 * @param name one segment of a path, percent-decoded.
 */
export function isReservedName(name: string): boolean {
  const stem = withoutStream(name)
  if (stem.length > MAX_NAME_LENGTH) return false
  const lenient = withoutStream(lenientForm(stem)).toLowerCase()
  return lenient === LOWER_CASE_NAME || SHORT_NAME.test(lenient)
}

/** A name without the stream that follows a colon, and without trailing dots and spaces. */
function withoutStream(name: string): string {
  const colon = name.indexOf(':')
  let end = colon < 0 ? name.length : colon
  while (end > 0 && (name[end - 1] === '.' || name[end - 1] === ' ')) end--
  return name.slice(0, end)
}
