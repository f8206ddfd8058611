import { isReservedName } from 'express-bits-upload'

// biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what it looks for
const UNSAFE_CHARACTERS = /[\u0000-\u001f\u007f-\u009f\\/:*?"<>|]/g
const INVISIBLE = /\p{Default_Ignorable_Code_Point}/gu
/** Names that Windows reserves for devices, with any extension. */
const DEVICE_NAME = /^(?:con|prn|aux|nul|conin\$|conout\$|(?:com|lpt)[0-9¹²³])\s*(?:\.|$)/i
const MAX_BYTES = 200
/** Maximum number of characters to examine: normalizing a very long name takes quadratic time. */
const MAX_RAW_LENGTH = 1000

/** Makes a file name from the one that a browser sent: valid on Linux, macOS and Windows, and never a path. */
export function safeName(name: string): string {
  const base = (name.split(/[\\/]/).at(-1) ?? '').slice(-MAX_RAW_LENGTH)
  const plain = base.normalize('NFKC').replace(INVISIBLE, '').replace(UNSAFE_CHARACTERS, '_').trim()
  const short = withoutTrailingDots(shorten(plain.replace(/^\.+/, '')))
  if (short === '') return 'unnamed'
  return DEVICE_NAME.test(short) || isReservedName(short) ? `_${short}` : short
}

/** Windows removes dots and spaces at the end of a name. */
function withoutTrailingDots(name: string): string {
  let end = name.length
  while (end > 0 && (name[end - 1] === '.' || name[end - 1] === ' ')) end--
  return name.slice(0, end)
}

/** Shortens a long name before its extension, between characters. */
function shorten(name: string): string {
  const dot = name.lastIndexOf('.')
  const extension = dot > 0 && Buffer.byteLength(name.slice(dot)) <= 20 ? name.slice(dot) : ''
  let stem = ''
  let room = MAX_BYTES - Buffer.byteLength(extension)
  for (const character of name.slice(0, name.length - extension.length)) {
    room -= Buffer.byteLength(character)
    if (room < 0) break
    stem += character
  }
  return stem + extension
}
