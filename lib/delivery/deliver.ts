import type { SessionRecord } from '../../types/session.js'
import { BitsError } from '../protocol/bits-error.js'
import { discardRemains } from '../sessions/discard-remains.js'
import { uploadOf } from '../sessions/sessions.js'
import { defined } from '../util/objects.js'
import type { CompletedRequest, DeliverToApplication, DeliveryContext } from './completed-upload.js'
import { computeDigest, type DigestContext } from './compute-digest.js'
import { fileDigestOf } from './file-digest-of.js'

/** Dependencies of {@link Deliveries}. */
export interface DeliverySettings extends DigestContext {
  /** `undefined` if there is no application to notify. */
  readonly deliverToApplication: DeliverToApplication | undefined
}

/**
 * What happens when the last byte has arrived (MC-BUP 3.2.5.1.3): the application is notified, its reply stored, and
 * the file published, all before the last fragment's Ack (D4). A session has one delivery at a time; requests that
 * arrive during it share its result (D31).
 */
export class Deliveries {
  readonly #running = new Map<string, Promise<SessionRecord>>()

  /** The delivery in progress for a session. */
  running(uploadId: string): Promise<SessionRecord> | undefined {
    return this.#running.get(uploadId)
  }

  /**
   * @returns the published session. Rejects when it cannot be published; completed steps are kept for the next attempt
   * (D7).
   */
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
  const digested = await computeDigest(completed, context)
  const record = await confirmLock(await accept({ ...completed, record: digested }, context), context)
  if (record.state === 'published') return record
  const upload = uploadOf(record)
  const stored = record.copyToDestination === false ? undefined : await storage.publish(upload, { overwrite })
  const { total = 0 } = record
  if (stored && stored.size !== total) {
    throw new Error(`The storage published ${stored.size} bytes of an upload that has ${total}.`)
  }
  // In this order a crash is harmless: until the record says "published", publication is repeated, and recognizes its own file.
  const published = await sessions.change(record.uploadId, { state: 'published', total })
  sessions.progress.note(record.uploadId, total)
  context.hashes.forget(record.uploadId)
  if (stored) {
    const digest = fileDigestOf(published, context.settings)
    context.emit('uploaded', {
      ...stored,
      session: sessions.info(published, stored.size),
      ...defined({ digest }),
    })
  }
  await discardRemains(record, context, { keepReply: true })
  return published
}

/**
 * A process that was suspended may have lost the session's lock without noticing, and a newer file may be at the
 * destination by now. A store with locks refuses its changes, so publication comes after one.
 *
 * @returns the session as it is now. @throws what the store throws when another process has the lock.
 */
async function confirmLock(record: SessionRecord, { sessions }: DeliveryContext): Promise<SessionRecord> {
  return sessions.store.lock ? sessions.change(record.uploadId, { total: record.total }) : record
}

/** Calls the application, unless it has already accepted, or refused permanently. */
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
    if (error instanceof BitsError && error.context === 0x7) {
      const { status, message, expected } = error
      // The only status after which an application is not called again (Win32 Handling Server Application Errors).
      if (status === 403) await sessions.change(record.uploadId, { refused: true })
      if (expected) context.emit('refused', sessions.info(record, record.total), { status, message })
    }
    throw error
  }
}
