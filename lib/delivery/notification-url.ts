import { BitsError } from '../protocol/bits-error.js'
import type { RequestOrigin } from '../util/request-origin.js'

/** Where a notification goes: its URL, and the connection it uses. */
export interface NotificationTarget {
  /** Without credentials, so that messages can show it. */
  readonly url: URL
  /** `Authorization` from the credentials in the URL. */
  readonly authorization?: string
  /** Set when this server itself is notified: the address and port at which the upload's connection arrived. */
  readonly local?: NonNullable<RequestOrigin['local']>
}

/**
 * The destination as the client addressed it, in full (MC-BUP 2.2.12.2). Credentials in the client's request target are
 * removed: the application must not see them, and a relative notification URL must not inherit them.
 *
 * @param requestTarget as the client sent it: a path, or a full URL.
 * @param created scheme and host of Create-Session, which later packets may lack when a host id sends them elsewhere (D38).
 * @throws BitsError `malformed-packet` when the Host header names no host.
 */
export function originalRequestUrl(
  requestTarget: string,
  { protocol, host }: RequestOrigin,
  created?: string,
): URL {
  const isPath = requestTarget.startsWith('/')
  // Joined, not resolved: a path that begins with two slashes would resolve to another host.
  const url = isPath ? `${created ?? `${protocol}://${host}`}${requestTarget}` : requestTarget
  const namesHost = !isPath || created !== undefined || (host !== '' && !/[/?#@\\]/.test(host))
  if (namesHost && URL.canParse(url)) return withoutCredentials(new URL(url))
  throw new BitsError('malformed-packet', `The Host header "${host}" names no host.`)
}

/**
 * Resolves a notification URL against the directory of the destination, and appends the destination's query to it, as
 * IIS does (Win32 BITSServerNotificationURL).
 *
 * A relative URL is requested from this server, at the address at which the upload arrived. The host name comes from the
 * client, and a client must not be able to send a notification to a host of its choice.
 *
 * @throws BitsError `notification-unreachable` for a relative URL when the connection of the upload had no address.
 */
export function notificationTarget(
  notificationUrl: string,
  original: URL,
  { local }: RequestOrigin,
): NotificationTarget {
  const url = new URL(notificationUrl, original)
  const query = original.search.slice(1)
  if (query !== '') url.search = url.search === '' ? query : `${url.search}&${query}`
  const authorization = latin1Authorization(url)
  withoutCredentials(url)
  if (URL.canParse(notificationUrl)) return { url, ...(authorization && { authorization }) }
  if (local) return { url, local }
  throw new BitsError(
    'notification-unreachable',
    `The notification URL "${notificationUrl}" is relative, and the address of this server is unknown: ` +
      'the connection of the upload had closed, or is not a TCP connection. Use an absolute URL.',
  )
}

/** The credentials of a URL in the form of RFC 7617, in UTF-8, the encoding of percent-encoded URLs. */
function latin1Authorization({ username, password }: URL): string | undefined {
  if (username === '' && password === '') return undefined
  const credentials = Buffer.from(`${percentDecoded(username)}:${percentDecoded(password)}`, 'latin1')
  return `Basic ${credentials.toString('base64')}`
}

/** Bytes as Latin-1. decodeURIComponent() would throw at invalid UTF-8 and at a literal `%`. */
const percentDecoded = (text: string): string =>
  text.replace(/%([0-9a-f]{2})/gi, (_, digits: string) => String.fromCharCode(Number.parseInt(digits, 16)))

function withoutCredentials(url: URL): URL {
  url.username = ''
  url.password = ''
  return url
}
