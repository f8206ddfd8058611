import type { IncomingMessage } from 'node:http'
import { Readable } from 'node:stream'
import type { NotificationOptions } from '../../types/delivery.js'
import { BitsError } from '../protocol/bits-error.js'
import { uploadOf } from '../sessions/sessions.js'
import { applicationError } from './application-error.js'
import type { CompletedRequest, DeliverToApplication, DeliveryContext, DeliveryResult } from './arrival.js'
import { type NotificationTarget, notificationTarget, originalRequestUrl } from './notification-url.js'
import { post } from './post.js'
import { staticReplyUrl, storedReplyUrl, storeReply } from './store-reply.js'

/** What a directory needs to tell a server application. */
export type Notification = {
  readonly [Name in keyof NotificationOptions]-?: NonNullable<NotificationOptions[Name]>
}

/** Delivery to an application behind HTTP, by the protocol with which IIS does it (MC-BUP 2.2.12, 2.2.13, 3.3.5). */
export const notifyApplication =
  (notification: Notification): DeliverToApplication =>
  async (completed, place) => {
    const original = originalRequestUrl(completed.req.originalUrl, completed.origin, completed.record.origin)
    const target = notificationTarget(notification.url, original, completed.origin)
    await clearReply(completed, place)
    const signal = AbortSignal.timeout(Math.ceil(notification.timeout * 1000))
    try {
      const response = await post(target, message(notification, target, original, completed, place), signal)
      return await verdictOf(response, notification.type, completed, place).finally(() => response.destroy())
    } catch (error) {
      const isTheirs = error instanceof BitsError && error.context === 0x7
      throw signal.aborted && isTheirs ? timedOut(notification, error) : error
    }
  }

/** The request's headers in the order of the capture (MC-BUP 4.2), and its body. */
function message(
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
      ...credentials(target, notification),
      ...notification.headers,
    },
    length: byValue ? (record.total ?? 0) : 0,
    body: byValue ? storage.read(upload) : undefined,
  }
}

/** Those of the URL, unless the headers have others. */
function credentials(
  { authorization }: NotificationTarget,
  { headers }: Notification,
): Record<string, string> {
  const hasOthers = Object.keys(headers).some((name) => name.toLowerCase() === 'authorization')
  return authorization === undefined || hasOthers ? {} : { Authorization: authorization }
}

async function verdictOf(
  response: IncomingMessage,
  type: Notification['type'],
  completed: CompletedRequest,
  place: DeliveryContext,
): Promise<DeliveryResult> {
  const { statusCode = 0, httpVersion, headers } = response
  if (statusCode < 200 || statusCode > 599) {
    const answered = `The application answered ${statusCode}, which is not an HTTP status.`
    throw new BitsError({ status: 500, context: 0x7 }, answered)
  }
  if (statusCode > 299) {
    const answered = `The application answered ${statusCode}.`
    throw applicationError(new BitsError({ status: statusCode, context: 0x7 }, answered))
  }
  // What it refuses it refuses in any version: a 403 is not to be posted again.
  if (httpVersion !== '1.1') {
    throw new BitsError(
      'notification-invalid',
      `The application answered with HTTP/${httpVersion}, not HTTP/1.1.`,
    )
  }
  // Its presence alone counts (MC-BUP 2.2.13.2).
  const publish = headers['bits-copy-file-to-destination'] !== undefined
  const staticUrl = headers['bits-static-response-url']
  // An empty one counts as absent (MC-BUP 3.3.5.2.4).
  if (typeof staticUrl === 'string' && staticUrl.trim() !== '') {
    const replyUrl = staticReplyUrl(staticUrl)
    // There is one reply, and this is not it.
    await clearReply(completed, place)
    return { publish, replyUrl }
  }
  return { publish, replyUrl: await replyOf(response, type, completed, place) }
}

/** By reference the application's file is the reply; where it wrote none, the body is taken, as by value (D14). */
async function replyOf(
  response: IncomingMessage,
  type: Notification['type'],
  completed: CompletedRequest,
  place: DeliveryContext,
): Promise<string | undefined> {
  if (type === 'by-reference') {
    const written = await place.storage.statReply?.(uploadOf(completed.record))
    if (written && written.size > 0) return storedReplyUrl(completed.sessionId)
  }
  return storeReply(response, completed, place, connectionLost)
}

const connectionLost = (cause: Error): BitsError =>
  new BitsError('notification-broken', 'The application broke off its answer.', { cause })

const timedOut = ({ timeout }: Notification, cause: unknown): BitsError =>
  new BitsError('notification-timeout', `The application did not answer within ${timeout} s.`, { cause })

/** What an application wrote before it failed is not its reply to the repetition. */
async function clearReply({ record }: CompletedRequest, { storage }: DeliveryContext): Promise<void> {
  const upload = uploadOf(record)
  if (await storage.statReply?.(upload)) await storage.writeReply?.(upload, Readable.from([]))
}

/** A path as header bytes: UTF-8, which Node writes out when it is given as Latin-1. */
const asHeader = (path: string): string => Buffer.from(path, 'utf8').toString('latin1')
