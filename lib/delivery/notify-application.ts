import type { IncomingMessage } from 'node:http'
import { Readable } from 'node:stream'
import type { NotificationOptions } from '../../types/delivery.js'
import { BitsError } from '../protocol/bits-error.js'
import { storedReplyUrl } from '../protocol/reply-url.js'
import { REPR_DIGEST } from '../protocol/repr-digest.js'
import { uploadOf } from '../sessions/sessions.js'
import { defined } from '../util/objects.js'
import { applicationError } from './application-error.js'
import type {
  CompletedRequest,
  DeliverToApplication,
  DeliveryContext,
  DeliveryResult,
} from './completed-upload.js'
import { type NotificationTarget, notificationTarget, originalRequestUrl } from './notification-url.js'
import { post } from './post.js'
import { staticReplyUrl, storeReply } from './store-reply.js'

/** The settings of a notification, with their defaults. */
export type Notification = {
  readonly [Name in keyof NotificationOptions]-?: NonNullable<NotificationOptions[Name]>
}

/** Delivery to an application over HTTP, with the protocol that IIS uses (MC-BUP 2.2.12, 2.2.13, 3.3.5). */
export const notifyApplication =
  (notification: Notification): DeliverToApplication =>
  async (completed, context) => {
    const original = originalRequestUrl(completed.req.originalUrl, completed.origin, completed.record.origin)
    const target = notificationTarget(notification.url, original, completed.origin)
    await clearReply(completed, context)
    const signal = AbortSignal.timeout(Math.ceil(notification.timeout * 1000))
    try {
      const response = await post(
        target,
        notificationRequest(notification, target, original, completed, context),
        signal,
      )
      return await resultOf(response, notification.type, completed, context).finally(() => response.destroy())
    } catch (error) {
      const isTheirs = error instanceof BitsError && error.context === 0x7
      throw signal.aborted && isTheirs ? timedOut(notification, error) : error
    }
  }

/** The request's headers in the order of the capture (MC-BUP 4.2), and its body. */
function notificationRequest(
  notification: Notification,
  target: NotificationTarget,
  original: URL,
  { record }: CompletedRequest,
  { storage }: DeliveryContext,
) {
  const upload = uploadOf(record)
  const byValue = notification.type === 'by-value'
  const references: Record<string, string> = byValue
    ? {}
    : {
        'BITS-Request-DataFile-Name': asHeader(storage.path?.(upload) ?? ''),
        'BITS-Response-DataFile-Name': asHeader(storage.replyPath?.(upload) ?? ''),
      }
  return {
    headers: {
      'BITS-Original-Request-URL': original.href,
      ...references,
      ...defined({ [REPR_DIGEST]: record.digest }),
      ...credentials(target, notification),
      ...notification.headers,
    },
    length: byValue ? (record.total ?? 0) : 0,
    body: byValue ? storage.read(upload) : undefined,
  }
}

/** The credentials of the URL, unless the headers have their own. */
function credentials(
  { authorization }: NotificationTarget,
  { headers }: Notification,
): Record<string, string> {
  const hasOthers = Object.keys(headers).some((name) => name.toLowerCase() === 'authorization')
  return authorization === undefined || hasOthers ? {} : { Authorization: authorization }
}

async function resultOf(
  response: IncomingMessage,
  type: Notification['type'],
  completed: CompletedRequest,
  context: DeliveryContext,
): Promise<DeliveryResult> {
  const { statusCode = 0, httpVersion, headers } = response
  if (statusCode < 200 || statusCode > 599) {
    const answered = `The application responded with ${statusCode}, which is not an HTTP status.`
    throw new BitsError({ status: 500, context: 0x7 }, answered)
  }
  if (statusCode > 299) {
    const answered = `The application responded with ${statusCode}.`
    throw applicationError(new BitsError({ status: statusCode, context: 0x7 }, answered))
  }
  // After the status: a refusal counts in any version, and must not be sent again.
  if (httpVersion !== '1.1') {
    throw new BitsError(
      'notification-invalid',
      `The application responded with HTTP/${httpVersion}, not HTTP/1.1.`,
    )
  }
  // Only its presence counts (MC-BUP 2.2.13.2).
  const publish = headers['bits-copy-file-to-destination'] !== undefined
  const staticUrl = headers['bits-static-response-url']
  // An empty one counts as absent (MC-BUP 3.3.5.2.4).
  if (typeof staticUrl === 'string' && staticUrl.trim() !== '') {
    const replyUrl = staticReplyUrl(staticUrl)
    // The static URL replaces a reply that was stored.
    await clearReply(completed, context)
    return { publish, replyUrl }
  }
  return { publish, replyUrl: await readReplyOf(response, type, completed, context) }
}

/** By reference, the file that the application wrote is the reply; without one, the response body is, as by value (D14). */
async function readReplyOf(
  response: IncomingMessage,
  type: Notification['type'],
  completed: CompletedRequest,
  context: DeliveryContext,
): Promise<string | undefined> {
  if (type === 'by-reference') {
    const written = await context.storage.statReply?.(uploadOf(completed.record))
    if (written && written.size > 0) return storedReplyUrl(completed.sessionId)
  }
  return storeReply(response, completed, context, connectionLost)
}

const connectionLost = (cause: Error): BitsError =>
  new BitsError('notification-broken', 'The application closed the connection during its response.', {
    cause,
  })

const timedOut = ({ timeout }: Notification, cause: unknown): BitsError =>
  new BitsError('notification-timeout', `The application did not respond within ${timeout} s.`, { cause })

/** Removes what an application wrote before an earlier delivery failed. */
async function clearReply({ record }: CompletedRequest, { storage }: DeliveryContext): Promise<void> {
  const upload = uploadOf(record)
  if (await storage.statReply?.(upload)) await storage.writeReply?.(upload, Readable.from([]))
}

/** A path as header value: UTF-8 bytes in a Latin-1 string, which Node sends unchanged. */
const asHeader = (path: string): string => Buffer.from(path, 'utf8').toString('latin1')
