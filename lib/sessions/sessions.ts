import type { SessionInfo } from '../../types/events.js'
import type { SessionChange, SessionRecord, SessionStore } from '../../types/session.js'
import type { StagedUpload } from '../../types/storage.js'
import { BitsError } from '../protocol/bits-error.js'
import { newSessionId, sessionKey } from '../protocol/session-id.js'
import { ProgressBook } from './progress.js'
import { SessionLimit } from './session-limit.js'
import { SessionLocks } from './session-lock.js'

/** Milliseconds for which a closed or cancelled session is remembered (D10). */
export const ENDED_SESSION_TTL = 10 * 60 * 1000

/** Whose session: it answers to its destination's path and to its user only (D32). */
export interface SessionOwner {
  readonly destination: string
  readonly path: string
  readonly user: string | undefined
}

/** The sessions of one `bitsUpload()`: their records in a store, and what only this process knows of them. */
export class Sessions {
  readonly locks: SessionLocks
  readonly progress: ProgressBook
  readonly limit: SessionLimit
  readonly store: SessionStore
  /** Milliseconds. */
  readonly timeout: number
  readonly now: () => number
  /** Ended sessions in the order of their end: key and when to forget it. */
  readonly #ended: { key: string; until: number }[] = []

  /** @param options `timeout` in milliseconds. */
  constructor(options: { store: SessionStore; timeout: number; now: () => number }) {
    this.store = options.store
    this.timeout = options.timeout
    this.now = options.now
    this.progress = new ProgressBook(options.now)
    this.locks = new SessionLocks(options.store)
    this.limit = new SessionLimit(options.store, options.now)
  }

  /**
   * Always a new session, whatever others the destination has (MC-BUP 3.2.5.2.2).
   *
   * @param max sessions its user may have going on, this one included.
   * @throws BitsError `too-many-sessions`.
   */
  async create(
    owner: SessionOwner & Pick<SessionRecord, 'origin'>,
    max = Number.POSITIVE_INFINITY,
  ): Promise<{ id: string; record: SessionRecord }> {
    const id = newSessionId()
    const key = sessionKey(id)
    if (!key) throw new Error(`The new session id ${id} is no GUID.`)
    const now = this.now()
    const record: SessionRecord = {
      uploadId: key,
      ...owner,
      state: 'receiving',
      createdAt: now,
      lastActivity: now,
    }
    await this.limit.claim(key, owner.user, max)
    try {
      await this.store.create(record)
    } catch (error) {
      this.limit.free(key)
      throw error
    }
    return { id, record }
  }

  /**
   * The session a packet names by its key, ended ones included.
   *
   * @throws BitsError `session-not-found` also for somebody else's, and for another destination's (D32).
   */
  async find(key: string | undefined, owner: SessionOwner): Promise<SessionRecord> {
    const record = key === undefined ? undefined : await this.store.get(key)
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

  /** The session as it is now. @throws BitsError `session-not-found` when it has ended or expired meanwhile. */
  async reload(key: string): Promise<SessionRecord> {
    const record = await this.store.get(key)
    if (!record) throw new BitsError('session-not-found', `Session ${key} is gone.`)
    return record
  }

  /** Changes a session; that counts as activity (D24). @throws BitsError `session-not-found` when it is gone. */
  async change(key: string, changes: SessionChange): Promise<SessionRecord> {
    const record = await this.store.update(key, () => ({ ...changes, lastActivity: this.now() }))
    if (!record) throw new BitsError('session-not-found', `Session ${key} is gone.`)
    return record
  }

  /** Notes activity (D24), seldom enough that a fragment writes nothing but its bytes. */
  async touch(record: SessionRecord): Promise<void> {
    if (this.now() - record.lastActivity < this.slack) return
    await this.store.update(record.uploadId, () => ({ lastActivity: this.now() }))
  }

  /** Milliseconds by which a noted activity may lag behind the real one. */
  get slack(): number {
    return Math.min(this.timeout / 20, 60 * 60 * 1000)
  }

  /** Ends a session: no fragment is taken any more, a repeated end is answered 200 for ten minutes (D10). */
  async end(key: string, state: 'closed' | 'cancelled'): Promise<SessionRecord> {
    const ended = await this.change(key, { state })
    this.progress.forget(key)
    this.limit.free(key)
    this.#ended.push({ key, until: this.now() + ENDED_SESSION_TTL })
    return ended
  }

  /** Forgets what ended more than ten minutes ago. */
  async forgetEnded(): Promise<void> {
    while (this.#ended[0] && this.#ended[0].until <= this.now()) {
      const ended = this.#ended.shift()
      if (ended) await this.store.delete(ended.key)
    }
  }

  /** A session as events and pages show it. */
  info(record: SessionRecord, received?: number): SessionInfo {
    const progress = this.progress.get(record.uploadId)
    return {
      uploadId: record.uploadId,
      destination: record.destination,
      path: record.path,
      user: record.user,
      state: record.state,
      received: received ?? progress?.received ?? (record.state === 'published' ? (record.total ?? 0) : 0),
      total: record.total,
      rate: progress?.rate ?? 0,
      createdAt: new Date(record.createdAt),
      lastActivity: new Date(record.lastActivity),
    }
  }
}

/** A session's upload, as the storage knows it. */
export const uploadOf = (record: SessionRecord): StagedUpload => ({
  uploadId: record.uploadId,
  destination: record.destination,
  total: record.total,
})
