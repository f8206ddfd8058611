import type { UploadedFile } from '../../types/events.js'
import type { SessionRecord } from '../../types/session.js'
import type { StorageAdapter } from '../../types/storage.js'
import { type Sessions, uploadOf } from '../sessions/sessions.js'

/** What delivery needs: where files and sessions are kept, and who wants to know of a file. */
export interface DeliveryContext {
  readonly storage: StorageAdapter
  readonly sessions: Sessions
  readonly overwrite: boolean
  readonly onUploaded: (file: UploadedFile) => void
}

/**
 * What happens when the last byte is in (MC-BUP 3.2.5.1.3): the file is published before the last fragment's Ack (D4).
 * One delivery at a time a session: whoever asks while one runs gets that one's outcome (D31).
 */
export class Deliveries {
  readonly #running = new Map<string, Promise<SessionRecord>>()
  readonly #context: DeliveryContext

  constructor(context: DeliveryContext) {
    this.#context = context
  }

  /** The delivery of a session that is under way. */
  running(key: string): Promise<SessionRecord> | undefined {
    return this.#running.get(key)
  }

  /** @returns the session, published. Rejects when it cannot be; all stays as it was then, for another try. */
  deliver(record: SessionRecord): Promise<SessionRecord> {
    const delivery = this.#deliver(record).finally(() => this.#running.delete(record.key))
    this.#running.set(record.key, delivery)
    return delivery
  }

  async #deliver(record: SessionRecord): Promise<SessionRecord> {
    const { storage, sessions, overwrite, onUploaded } = this.#context
    const upload = uploadOf(record)
    const file = await storage.publish(upload, { overwrite })
    // The order keeps a crash harmless: until the record says so, publication is repeated, and finds its own work.
    const published = await sessions.change(record.key, { state: 'published', total: file.size })
    await storage.discard(upload)
    sessions.progress.note(record.key, file.size)
    onUploaded({ ...file, session: sessions.info(published, file.size) })
    return published
  }
}
