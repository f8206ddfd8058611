import { REPLY_FILE, REPLY_FOLDER } from '../protocol/reply-url.js'
import { RESERVED_NAME } from '../protocol/reserved-folder.js'

/** `<12>`: the length of a secret, which helps to recognize what it was without revealing it. */
export const lengthOnly = (text: string): string => `<${text.length}>`

const BARE_GUID = /^(\{?)([0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})(\}?)$/i
const ESCAPED_GUID = /^%7b[0-9a-f-]{36}%7d$/i
/** Names of the protocol itself, which are not secret. */
const PROTOCOL_NAMES = new Set([
  RESERVED_NAME.toLowerCase(),
  REPLY_FOLDER.toLowerCase(),
  REPLY_FILE,
  // Those of IIS for uploads.
  'requests',
  'requestfile.bin',
])
/** A file name reveals only its type. */
const EXTENSION = /\.[a-z][a-z0-9]{0,4}$/i
/** Maximum number of session ids to remember: more than a log that people read will contain. */
const MAX_MASKED_SESSIONS = 10_000

const sessions = new Map<string, number>()

/**
 * A session id as its number in this log: knowing the id is enough to continue the upload. Braces and case are kept:
 * `{SESSION-1}` and `{session-1}` are one session in two spellings.
 */
export function maskSessionId(id: string): string {
  const [, open = '', guid = '', close = ''] = BARE_GUID.exec(id) ?? []
  if (guid === '') return lengthOnly(id)
  const name = `SESSION-${numberOf(guid.toUpperCase())}`
  if (guid === guid.toUpperCase()) return open + name + close
  return open + (guid === guid.toLowerCase() ? name.toLowerCase() : name.replace('ESSION', 'ession')) + close
}

function numberOf(guid: string): number {
  const known = sessions.get(guid)
  if (known !== undefined) return known
  if (sessions.size >= MAX_MASKED_SESSIONS) sessions.clear()
  sessions.set(guid, sessions.size + 1)
  return sessions.size
}

/**
 * A file name that shows its length, percent-escapes and extension: `%xx` is an escape, `?` a non-ASCII character,
 * `x` any other.
 */
export function maskName(name: string): string {
  if (PROTOCOL_NAMES.has(name.toLowerCase()) || name === '.' || name === '..') return name
  if (BARE_GUID.test(name)) return maskSessionId(name)
  if (ESCAPED_GUID.test(name)) return `%7b${maskSessionId(name.slice(3, -3))}%7d`
  const extension = EXTENSION.exec(name)?.[0] ?? ''
  const stem = extension === '' ? name : name.slice(0, -extension.length)
  return stem.replace(/%[0-9a-f]{2}|./gis, maskCharacter) + extension
}

function maskCharacter(character: string): string {
  if (character.length === 3) return '%xx'
  return character >= '\u0080' ? '?' : 'x'
}

/** A URL, absolute or relative, that shows scheme, port, form of the path and names of the query parameters. */
export function maskRequestUrl(url: string): string {
  const [, scheme, authority = '', path = '', query, hash] =
    /^(?:(https?:)?\/\/([^/?#]*))?([^?#]*)(?:\?([^#]*))?(?:#(.*))?$/is.exec(url) ?? []
  const origin =
    authority === '' && scheme === undefined ? '' : `${scheme ?? ''}//${maskAuthority(authority)}`
  const names = path.replace(/[^/\\]+/g, maskName)
  const parameters = query === undefined ? '' : `?${query.replace(/[^&;]+/g, maskParameter)}`
  return origin + names + parameters + (hash === undefined ? '' : `#${lengthOnly(hash)}`)
}

function maskParameter(parameter: string): string {
  const equals = parameter.indexOf('=')
  const name = parameter.slice(0, Math.max(equals, 0))
  const shown = /^[\w.-]{1,32}$/.test(name) ? name : lengthOnly(name)
  return equals < 0 ? lengthOnly(parameter) : `${shown}=${lengthOnly(parameter.slice(equals + 1))}`
}

/** `user:password@host:port`, of which only the port is shown. */
export function maskAuthority(authority: string): string {
  const at = authority.lastIndexOf('@')
  const port = /:\d{1,5}$/.exec(authority)?.[0] ?? ''
  return `${at < 0 ? '' : '<user>@'}<host>${port}`
}
