import type { Readable } from 'node:stream'
import type { StorageAdapter } from '../../types/storage.js'
import { BitsError } from '../protocol/bits-error.js'
import { RESERVED_NAME } from '../protocol/reserved-folder.js'
import { sessionGuid } from '../protocol/session-id.js'
import { uploadOf } from '../sessions/sessions.js'
import type { CompletedRequest, DeliveryContext } from './arrival.js'
import { ReplyBody } from './reply-body.js'

/** Characters that a reply URL may have (MC-BUP 2.2.1.2). */
const MAX_REPLY_URL = 2200

/**
 * Keeps a reply with the storage, or takes note of its static URL.
 *
 * @param connectionLost what the application is blamed for when its stream fails.
 * @returns the URL to tell the client; `undefined` for an empty reply, which is none.
 * @throws BitsError of context 0x7 when the application is to blame: `brokenOff`'s, `reply-url-too-long`,
 * `notification-invalid` when a static URL is not absolute, `application-failed` when the storage cannot keep replies
 * at all; else what the storage threw.
 */
export async function storeReply(
  reply: Readable | URL,
  completed: CompletedRequest,
  { storage }: DeliveryContext,
  connectionLost: (cause: Error) => BitsError,
): Promise<string | undefined> {
  if (reply instanceof URL) return staticReplyUrl(reply.href)
  const body = new ReplyBody(reply)
  try {
    const size = await store(body.bytes, completed, storage)
    return size > 0 ? storedReplyUrl(completed.sessionId) : undefined
  } catch (error) {
    throw body.failure ? connectionLost(body.failure) : error
  } finally {
    body.release()
  }
}

/** @returns its size in bytes. */
async function store(
  bytes: Readable,
  { record }: CompletedRequest,
  storage: StorageAdapter,
): Promise<number> {
  if (storage.writeReply) return storage.writeReply(uploadOf(record), bytes)
  for await (const _chunk of bytes) {
    const why = 'The application gave a reply, and the storage has no writeReply() to keep it.'
    throw new BitsError('application-failed', why)
  }
  return 0
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
export const storedReplyUrl = (sessionId: string): string =>
  `${RESERVED_NAME}\\Replies\\${sessionGuid(sessionId)}\\responsefile.bin`
