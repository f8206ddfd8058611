// biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what it looks for
const FORBIDDEN = /[\u0000-\u001f\u007f-\u009f\\/:*?"<>|]/g
const INVISIBLE = /\p{Default_Ignorable_Code_Point}/gu
/** Names that Windows gives to devices, whatever extension follows. */
const DEVICE = /^(?:con|prn|aux|nul|conin\$|conout\$|(?:com|lpt)[0-9¹²³])\s*(?:\.|$)/i
const RESERVED = /^bits-sessions$/i
const MAX_BYTES = 200

/** A name for a file that a browser calls `name`: safe on Linux, macOS and Windows, and never a path. */
export function safeName(name: string): string {
  const base = name.split(/[\\/]/).at(-1) ?? ''
  const plain = base.normalize('NFKC').replace(INVISIBLE, '').replace(FORBIDDEN, '_').trim()
  const short = shorten(plain.replace(/^\.+/, '')).replace(/[. ]+$/, '')
  if (short === '') return 'unnamed'
  return DEVICE.test(short) || RESERVED.test(short) ? `_${short}` : short
}

/** Cuts a long name in front of its extension, between characters. */
function shorten(name: string): string {
  const dot = name.lastIndexOf('.')
  const extension = dot > 0 && Buffer.byteLength(name.slice(dot)) <= 20 ? name.slice(dot) : ''
  const stem = [...name.slice(0, name.length - extension.length)]
  while (Buffer.byteLength(stem.join('') + extension) > MAX_BYTES) stem.pop()
  return stem.join('') + extension
}
