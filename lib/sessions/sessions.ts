import type { SessionInfo } from '../../types/events.js'
import type { SessionChange, SessionRecord, SessionStore } from '../../types/session.js'
import type { StagedUpload } from '../../types/storage.js'
import { BitsError } from '../protocol/bits-error.js'
import { newSessionId, sessionKey } from '../protocol/session-id.js'
import { isPromise } from '../util/promises.js'
import { EndedSessions } from './ended-sessions.js'
import { ProgressBook } from './progress.js'
import { SessionLimit, tooManySessions } from './session-limit.js'
import { SessionLocks } from './session-lock.js'

/** Milliseconds between two updates of the bytes received in the record, and the minimum growth. */
const HINT_INTERVAL = 10_000
const HINT_GROWTH = 1.05

/** The owner of a session: only requests with its path and user can access it (D32). */
export interface SessionOwner {
  readonly destination: string
  readonly path: string
  readonly user: string | undefined
}

/** The sessions of one `bitsUpload()`: their records in a store, and the state that only this process has. */
export class Sessions {
  readonly locks: SessionLocks
  readonly progress: ProgressBook
  readonly limit: SessionLimit
  readonly store: SessionStore
  /** Milliseconds. */
  readonly timeout: number
  readonly now: () => number
  readonly #ended: EndedSessions

  /** @param options `timeout` in milliseconds. */
  constructor(options: { store: SessionStore; timeout: number; now: () => number }) {
    this.store = options.store
    this.timeout = options.timeout
    this.now = options.now
    this.progress = new ProgressBook(options.now)
    this.locks = new SessionLocks(options.store)
    this.limit = new SessionLimit(options.store, options.now)
    this.#ended = new EndedSessions(options.store, options.now)
  }

  /**
   * Always a new session, whatever others the destination has (MC-BUP 3.2.5.2.2).
   *
   * @param max open sessions that its user may have, including this one.
   * @throws BitsError `too-many-sessions`.
   */
  async create(
    owner: SessionOwner & Pick<SessionRecord, 'origin' | 'expectedDigest'>,
    max = Number.POSITIVE_INFINITY,
  ): Promise<{ id: string; record: SessionRecord }> {
    const id = newSessionId()
    const key = sessionKey(id)
    if (!key) throw new Error(`The new session id ${id} is not a GUID.`)
    const now = this.now()
    const record: SessionRecord = {
      uploadId: key,
      ...owner,
      state: 'receiving',
      createdAt: now,
      lastActivity: now,
    }
    await this.#store(record, max)
    return { id, record }
  }

  async #store(record: SessionRecord, max: number): Promise<void> {
    const { uploadId, user } = record
    const counts = max < Number.POSITIVE_INFINITY && this.store.createWithin !== undefined
    if (!counts && max < Number.POSITIVE_INFINITY) await this.limit.claim(uploadId, user, max)
    let count: number | undefined
    try {
      if (counts) count = await this.store.createWithin?.(record, max)
      else await this.store.create(record)
    } catch (error) {
      await this.#forget(uploadId)
      throw error
    }
    if (count !== undefined) throw tooManySessions(user, count, max)
  }

  /** Removes a session that may have been stored although its creation failed: the client will never name it. */
  async #forget(uploadId: string): Promise<void> {
    this.limit.free(uploadId)
    try {
      await this.store.delete(uploadId)
    } catch {
      // The client receives the error of the creation. A session that remains expires.
    }
  }

  /**
   * The session of a packet, by its upload id, ended ones included.
   *
   * @throws BitsError `session-not-found`, also for a session of another user or destination (D32).
   */
  async find(key: string | undefined, owner: SessionOwner): Promise<SessionRecord> {
    const found = key === undefined ? undefined : this.store.get(key)
    const record = isPromise(found) ? await found : found
    if (!record) throw new BitsError('session-not-found', 'No session has the id that the packet names.')
    if (
      record.path !== owner.path ||
      record.destination !== owner.destination ||
      record.user !== owner.user
    ) {
      throw new BitsError(
        'session-not-found',
        `Session ${record.uploadId} belongs to another destination or user.`,
      )
    }
    return record
  }

  /**
   * The current state of the session. @throws BitsError `session-not-found` if it has ended or expired in the meantime.
   */
  async reload(key: string): Promise<SessionRecord> {
    const record = await this.store.get(key)
    if (!record) throw new BitsError('session-not-found', `Session ${key} no longer exists.`)
    return record
  }

  /** Changes a session; that counts as activity (D24). @throws BitsError `session-not-found` if it no longer exists. */
  async change(key: string, changes: SessionChange): Promise<SessionRecord> {
    const record = await this.store.update(key, () => ({ ...changes, lastActivity: this.now() }))
    if (!record) throw new BitsError('session-not-found', `Session ${key} no longer exists.`)
    return record
  }

  /**
   * Records activity (D24), and the bytes received for pages of other processes. Both rarely enough that most
   * fragments write only their bytes, and that a record has a few hundred changes at most.
   */
  async touch(record: SessionRecord, received = record.received): Promise<void> {
    const now = this.now()
    const elapsed = now - record.lastActivity
    const isBehind = received !== undefined && received > (record.received ?? 0) * HINT_GROWTH
    const needsHint = isBehind && this.store.lock !== undefined && elapsed >= HINT_INTERVAL
    if (elapsed < this.slack && !needsHint) return
    await this.store.update(record.uploadId, () => ({ received, lastActivity: now }))
  }

  /** Bytes received as far as this process or the record knows; `undefined` when only the storage does. */
  received(record: SessionRecord): number | undefined {
    if (record.state === 'published') return record.total ?? 0
    const { uploadId, received } = record
    const seen = this.progress.get(uploadId)?.received
    return seen === undefined || received === undefined ? (seen ?? received) : Math.max(seen, received)
  }

  /** Milliseconds by which the recorded activity may lag behind. */
  get slack(): number {
    return Math.min(this.timeout / 20, 60 * 60 * 1000)
  }

  /** Ends a session: fragments are no longer accepted, and a repeated end gets 200 for ten minutes (D10). */
  async end(key: string, state: 'closed' | 'cancelled'): Promise<SessionRecord> {
    const ended = await this.change(key, { state })
    this.progress.forget(key)
    this.limit.free(key)
    this.#ended.add(key)
    return ended
  }

  /** Removes sessions that ended more than ten minutes ago. */
  async forgetEnded(): Promise<void> {
    this.progress.forgetOld()
    await this.#ended.removeOld()
  }

  /** A session in the form of events and pages. */
  info(record: SessionRecord, received?: number): SessionInfo {
    const progress = this.progress.get(record.uploadId)
    return {
      uploadId: record.uploadId,
      destination: record.destination,
      path: record.path,
      user: record.user,
      state: record.state,
      received: received ?? this.received(record) ?? 0,
      total: record.total,
      rate: progress?.rate ?? 0,
      address: progress?.address,
      fragmentSize: progress?.fragmentSize,
      createdAt: new Date(record.createdAt),
      lastActivity: new Date(record.lastActivity),
    }
  }
}

/** The upload of a session, in the form for the storage. */
export const uploadOf = (record: SessionRecord): StagedUpload => ({
  uploadId: record.uploadId,
  destination: record.destination,
  total: record.total,
})
