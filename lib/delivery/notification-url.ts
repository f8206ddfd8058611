import { BitsError } from '../protocol/bits-error.js'
import type { RequestOrigin } from '../util/request-origin.js'

/** Where a notification goes: what it is asked as, and which connection it takes. */
export interface NotificationTarget {
  /** Without credentials, so that it may be told in messages. */
  readonly url: URL
  /** `Authorization` by the credentials that the URL had. */
  readonly authorization?: string
  /** Set when this server itself is asked: the address and port at which the upload's connection arrived. */
  readonly local?: NonNullable<RequestOrigin['local']>
}

/**
 * The destination as the client addressed it, in full (MC-BUP 2.2.12.2), without credentials: what a client writes into
 * its request's target is neither for the application, nor may it become ours by a relative notification URL.
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
 * A relative URL is asked of this server by the address at which the upload came in. The name in it is what the client
 * said, and a client must not be able to send a notification to a host of its choice.
 *
 * @throws BitsError `notification-unreachable` for a relative URL, when the upload came in by no address.
 */
export function notificationTarget(
  notificationUrl: string,
  original: URL,
  { local }: RequestOrigin,
): NotificationTarget {
  const url = new URL(notificationUrl, original)
  const query = original.search.slice(1)
  if (query !== '') url.search = url.search === '' ? query : `${url.search}&${query}`
  const authorization = basicAuthorization(url)
  withoutCredentials(url)
  if (URL.canParse(notificationUrl)) return { url, ...(authorization && { authorization }) }
  if (local) return { url, local }
  throw new BitsError(
    'notification-unreachable',
    `The notification URL "${notificationUrl}" is relative, and there is no address to ask it at: ` +
      'the connection of the upload was gone at once, or is none of TCP, for which only an absolute URL will do.',
  )
}

/** The credentials of a URL as RFC 7617 has them: UTF-8, since that is what percent-encoding a URL makes of text. */
function basicAuthorization({ username, password }: URL): string | undefined {
  if (username === '' && password === '') return undefined
  const credentials = Buffer.from(`${percentDecoded(username)}:${percentDecoded(password)}`, 'latin1')
  return `Basic ${credentials.toString('base64')}`
}

/** Bytes as Latin-1. No decodeURIComponent(): it throws at what is no UTF-8 and at a `%` that stands for itself. */
const percentDecoded = (text: string): string =>
  text.replace(/%([0-9a-f]{2})/gi, (_, digits: string) => String.fromCharCode(Number.parseInt(digits, 16)))

function withoutCredentials(url: URL): URL {
  url.username = ''
  url.password = ''
  return url
}
