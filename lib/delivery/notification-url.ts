import type { Request } from 'express'

/** Where a notification goes: what it is asked as, and which connection it takes. */
export interface NotificationTarget {
  readonly url: URL
  /** Set when this server itself is asked: the address and port at which the upload's connection arrived. */
  readonly local?: { readonly address: string; readonly port: number; readonly secure: boolean }
}

/** The destination as the client addressed it, in full (MC-BUP 2.2.12.2). */
export const originalRequestUrl = (req: Request): URL =>
  new URL(req.originalUrl, `${req.protocol}://${req.get('host') ?? 'localhost'}`)

/**
 * Resolves a notification URL against the directory of the destination, and appends the destination's query to it, as
 * IIS does (Win32 BITSServerNotificationURL).
 *
 * A relative URL is asked of this server by the address at which the upload came in. The name in it is what the client
 * said, and a client must not be able to send a notification to a host of its choice.
 */
export function notificationTarget(notificationUrl: string, original: URL, req: Request): NotificationTarget {
  const url = new URL(notificationUrl, original)
  const query = original.search.slice(1)
  if (query !== '') url.search = url.search === '' ? query : `${url.search}&${query}`
  if (URL.canParse(notificationUrl)) return { url }
  const { localAddress = '127.0.0.1', localPort = 80 } = req.socket
  const secure = 'encrypted' in req.socket && req.socket.encrypted === true
  return { url, local: { address: localAddress, port: localPort, secure } }
}
