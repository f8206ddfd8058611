import { Readable } from 'node:stream'
import type { Reply } from '../../types/delivery.js'
import { BitsError } from '../errors.js'
import { sessionGuid } from '../sessions/session-id.js'
import { uploadOf } from '../sessions/sessions.js'
import type { Arrival, DeliveryPlace } from './arrival.js'

/** Characters that a reply URL may have (MC-BUP 2.2.1.2). */
const MAX_REPLY_URL = 2200

/**
 * Keeps a reply with the storage, or takes note of its static URL.
 *
 * @returns the URL to tell the client; `undefined` for an empty reply, which is none.
 * @throws BitsError `reply-url-too-long`, `notification-invalid` when a static URL is not absolute.
 */
export async function keepReply(
  reply: Reply,
  arrival: Arrival,
  { storage }: DeliveryPlace,
): Promise<string | undefined> {
  if (reply instanceof URL) return staticReplyUrl(reply.href)
  const body = reply instanceof Readable ? reply : Readable.from([reply], { objectMode: false })
  if (!storage.writeReply) {
    for await (const chunk of body) {
      if (chunk.length === 0) continue
      throw new Error('The application gave a reply, and the storage has no writeReply() to keep it.')
    }
    return undefined
  }
  const size = await storage.writeReply(uploadOf(arrival.record), body)
  return size > 0 ? keptReplyUrl(arrival.sessionId) : undefined
}

/**
 * A reply that the application hosts itself. It must be absolute, since the client does not know relative to what
 * (MC-BUP 2.2.13.2).
 */
export function staticReplyUrl(url: string): string {
  if (url.length > MAX_REPLY_URL) {
    throw new BitsError(
      'reply-url-too-long',
      `The reply's URL has ${url.length} characters; ${MAX_REPLY_URL} may be.`,
    )
  }
  if (!/^https?:\/\//i.test(url) || !URL.canParse(url)) {
    throw new BitsError('notification-invalid', `The reply's static URL "${url}" is not absolute.`)
  }
  return url
}

/** Relative to the directory of the destination, in the form IIS uses (MC-BUP 4.2). */
export const keptReplyUrl = (sessionId: string): string =>
  `BITS-Sessions\\Replies\\${sessionGuid(sessionId)}\\responsefile.bin`
