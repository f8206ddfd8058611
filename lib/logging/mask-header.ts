import { lengthOnly, maskAuthority, maskName, maskRequestUrl, maskSessionId } from './mask.js'

const NUMBER = /^\d{1,16}$/
const HEXADECIMAL = /^(?:0x)?[0-9a-f]{1,8}$/i
const GUIDS = /^[{}0-9a-f,\s-]+$/i
const CODINGS = /^(?:(?:identity|gzip|deflate|br|chunked|\*)(?:\s*;\s*q=[\d.]+)?[,\s]*)+$/i
const DATE = /^[a-z]{3}, \d{2} [a-z]{3} \d{4} [\d:]{8} GMT$/i
const CONNECTION = /^(?:keep-alive|close)$/i

/** Headers whose value is shown if it has the expected form. */
const HARMLESS: Readonly<Record<string, RegExp>> = {
  accept: /^\*\/\*$/,
  'accept-encoding': CODINGS,
  'accept-ranges': /^bytes$/i,
  'bits-error': HEXADECIMAL,
  'bits-error-code': HEXADECIMAL,
  'bits-error-context': HEXADECIMAL,
  'bits-host-id-fallback-timeout': NUMBER,
  'bits-packet-type': /^[a-z]{1,12}(?:-[a-z]{1,12})?$/i,
  'bits-protocol': GUIDS,
  'bits-received-content-range': NUMBER,
  'bits-supported-protocols': GUIDS,
  'cache-control': /^no-(?:cache|store)$/i,
  connection: CONNECTION,
  'content-encoding': CODINGS,
  'content-length': NUMBER,
  'content-range': /^bytes\s+(?:\d+--?\d+|\*)\/(?:\d+|\*)$/i,
  'content-type': /^(?:application\/octet-stream|text\/plain|text\/html)$/i,
  expect: /^100-continue$/i,
  'keep-alive': /^timeout=\d+(?:,\s*max=\d+)?$/i,
  'if-modified-since': DATE,
  'if-unmodified-since': DATE,
  'last-modified': DATE,
  pragma: /^no-cache$/i,
  'proxy-connection': CONNECTION,
  range: /^bytes=[\d,\s-]+$/i,
  te: /^trailers$/i,
  'transfer-encoding': CODINGS,
  'x-forwarded-proto': /^https?$/i,
  'x-http-method-override': /^[A-Z_]{1,12}$/,
  'x-powered-by': /^Express$/,
}

/** Headers of which a part can be shown without their secret. */
const MASKS: Readonly<Record<string, (value: string) => string>> = {
  authorization: maskCredentials,
  'bits-host-id': maskAuthority,
  'bits-reply-url': maskRequestUrl,
  'bits-session-id': maskSessionId,
  'content-location': maskRequestUrl,
  'content-name': maskName,
  host: maskAuthority,
  'proxy-authenticate': maskCredentials,
  'proxy-authorization': maskCredentials,
  'user-agent': maskProducts,
  'www-authenticate': maskCredentials,
}

/** A header value for the packet log: only the length of values that are not known to be harmless. */
export function maskHeader(name: string, value: string): string {
  const known = name.toLowerCase()
  const mask = Object.hasOwn(MASKS, known) ? MASKS[known] : undefined
  if (mask) return mask(value)
  const form = Object.hasOwn(HARMLESS, known) ? HARMLESS[known] : undefined
  return value === '' || form?.test(value) ? value : lengthOnly(value)
}

/** The scheme is useful, the rest is secret: `NTLM <56>`. */
function maskCredentials(value: string): string {
  const scheme = /^(?:Basic|Bearer|Digest|Kerberos|Negotiate|NTLM)(?=\s|$)/i.exec(value)?.[0]
  if (scheme === undefined) return lengthOnly(value)
  const rest = value.slice(scheme.length).trim()
  return rest === '' ? scheme : `${scheme} ${lengthOnly(rest)}`
}

/** Shows product names with a version, such as `Microsoft BITS/7.8`; everything else could be private. */
function maskProducts(value: string): string {
  return value.replace(/\S+/g, (word) =>
    word === 'Microsoft' || /^[a-z]{1,20}\/\d{1,4}(?:\.\d{1,6}){0,3}$/i.test(word) ? word : lengthOnly(word),
  )
}
