/** The content of the header `Authorization`. */
export type Credentials =
  | { readonly scheme: 'none' }
  /** Base64 of a token (RFC 4559 4). */
  | { readonly scheme: 'negotiate'; readonly token: string }
  /** NTLM, by itself or inside Negotiate. */
  | { readonly scheme: 'ntlm' }
  | { readonly scheme: 'basic'; readonly name: string; readonly password: string }
  /** One that this server does not offer, or a malformed one. */
  | { readonly scheme: 'unusable'; readonly problem: string }

const NTLM_SIGNATURE = Buffer.from('NTLMSSP\0', 'latin1')
const BASE64 = /^[A-Za-z0-9+/]+={0,2}$/

/** Parses the header `Authorization`. Takes linear time. */
export function readCredentials(header: string | undefined): Credentials {
  const text = header?.trim() ?? ''
  if (text === '') return { scheme: 'none' }
  const space = text.indexOf(' ')
  const scheme = (space < 0 ? text : text.slice(0, space)).toLowerCase()
  const value = space < 0 ? '' : text.slice(space + 1).trim()
  if (scheme === 'negotiate') return readToken(value)
  if (scheme === 'ntlm') return { scheme: 'ntlm' }
  if (scheme === 'basic') return readBasic(value)
  return { scheme: 'unusable', problem: 'it uses a scheme that this server does not offer' }
}

function readToken(token: string): Credentials {
  if (!BASE64.test(token) || token.length % 4 !== 0)
    return { scheme: 'unusable', problem: 'its token is not Base64' }
  // Windows sends NTLM if it has no ticket: directly ("TlRMTVNT..."), or wrapped in SPNEGO.
  if (Buffer.from(token, 'base64').includes(NTLM_SIGNATURE)) return { scheme: 'ntlm' }
  return { scheme: 'negotiate', token }
}

function readBasic(value: string): Credentials {
  const text = BASE64.test(value) ? Buffer.from(value, 'base64').toString('utf8') : ''
  const colon = text.indexOf(':')
  if (colon < 0) return { scheme: 'unusable', problem: 'its name and password are malformed' }
  return { scheme: 'basic', name: text.slice(0, colon), password: text.slice(colon + 1) }
}
