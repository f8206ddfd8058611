import type { Readable } from 'node:stream'
import type { StorageAdapter } from '../../types/storage.js'
import { BitsError } from '../protocol/bits-error.js'
import { MAX_URL } from '../protocol/limits.js'
import { storedReplyUrl } from '../protocol/reply-url.js'
import { uploadOf } from '../sessions/sessions.js'
import type { CompletedRequest, DeliveryContext } from './completed-upload.js'
import { ReplyBody } from './reply-body.js'

/**
 * Stores a reply, or validates its static URL.
 *
 * @param connectionLost creates the application's error if its stream fails. @returns the URL for the client;
 * `undefined` for an empty reply, which counts as none.
 * @throws BitsError of context 0x7 when the application is to blame: that of `connectionLost`, `reply-url-too-long`,
 * `notification-invalid` when a static URL is not absolute, `application-failed` when the storage cannot keep replies
 * at all. Otherwise, what the storage threw.
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
    const why = 'The application returned a reply, and the storage has no writeReply() to store it.'
    throw new BitsError('application-failed', why)
  }
  return 0
}

/**
 * A reply that the application hosts itself. Its URL must be absolute: the client has no base for a relative one
 * (MC-BUP 2.2.13.2).
 */
export function staticReplyUrl(url: string): string {
  if (url.length > MAX_URL) {
    throw new BitsError(
      'reply-url-too-long',
      `The URL of the reply has ${url.length} characters, more than ${MAX_URL}.`,
    )
  }
  if (!/^https?:\/\//i.test(url) || !URL.canParse(url)) {
    throw new BitsError('notification-invalid', `The static URL of the reply, "${url}", is not absolute.`)
  }
  return url
}
