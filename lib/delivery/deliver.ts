import type { SessionRecord } from '../../types/session.js'
import type { Emit } from '../events.js'
import { BitsError } from '../protocol/bits-error.js'
import { discardRemains } from '../sessions/discard-remains.js'
import { uploadOf } from '../sessions/sessions.js'
import type { CompletedRequest, DeliverToApplication, DeliveryContext } from './arrival.js'

/** How a delivery is done. */
export interface DeliverySettings extends DeliveryContext {
  readonly emit: Emit
  readonly settings: { readonly overwrite: boolean }
  /** `undefined` when there is nobody to tell. */
  readonly deliverToApplication: DeliverToApplication | undefined
}

/**
 * What happens when the last byte is in (MC-BUP 3.2.5.1.3): the application is told, its reply kept, and the file
 * published, all before the last fragment's Ack (D4). One delivery at a time a session: whoever asks while one runs
 * gets that one's outcome (D31).
 */
export class Deliveries {
  readonly #running = new Map<string, Promise<SessionRecord>>()

  /** The delivery of a session that is under way. */
  running(key: string): Promise<SessionRecord> | undefined {
    return this.#running.get(key)
  }

  /** @returns the session, published. Rejects when it cannot be; what was achieved stays, for another try (D7). */
  deliver(completed: CompletedRequest, context: DeliverySettings): Promise<SessionRecord> {
    const { uploadId } = completed.record
    const delivery = deliver(completed, context).finally(() => this.#running.delete(uploadId))
    this.#running.set(uploadId, delivery)
    return delivery
  }
}

async function deliver(completed: CompletedRequest, context: DeliverySettings): Promise<SessionRecord> {
  const { storage, sessions } = context
  const { overwrite } = context.settings
  const record = await accept(completed, context)
  const upload = uploadOf(record)
  const stored = record.copyToDestination === false ? undefined : await storage.publish(upload, { overwrite })
  const { total = 0 } = record
  if (stored && stored.size !== total) {
    throw new Error(`The storage published ${stored.size} bytes of an upload that has ${total}.`)
  }
  // The order keeps a crash harmless: until the record says so, publication is repeated, and finds its own work.
  const published = await sessions.change(record.uploadId, { state: 'published', total })
  sessions.progress.note(record.uploadId, total)
  if (stored) context.emit('uploaded', { ...stored, session: sessions.info(published, stored.size) })
  await discardRemains(record, context, { keepReply: true })
  return published
}

/** Asks the application, unless it has accepted already, or refused for good. */
async function accept(completed: CompletedRequest, context: DeliverySettings): Promise<SessionRecord> {
  const { record } = completed
  const { sessions, deliverToApplication } = context
  if (record.refused)
    throw new BitsError({ status: 403, context: 0x7 }, 'The application refused the file before.')
  if (!deliverToApplication || record.copyToDestination !== undefined) return record
  try {
    const { publish, replyUrl } = await deliverToApplication(completed, context)
    // Another process may be delivering it by now: its result counts.
    completed.lost.throwIfAborted()
    return await sessions.change(record.uploadId, {
      copyToDestination: publish,
      replyUrl,
      total: record.total,
    })
  } catch (error) {
    // The only status after which an application is not asked again (Win32 Handling Server Application Errors).
    if (error instanceof BitsError && error.status === 403 && error.context === 0x7)
      await sessions.change(record.uploadId, { refused: true })
    throw error
  }
}
