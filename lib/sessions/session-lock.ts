import type { LockOptions, ReleaseLock, SessionStore } from '../../types/session.js'
import { BitsError } from '../protocol/bits-error.js'

/** The lock on a session, until `release()`. */
export interface SessionLease {
  /**
   * Aborts when a newer request of the session waits: stop reading, keep the bytes that arrived, and release the lock.
   */
  readonly signal: AbortSignal
  /** Aborts when the store's lock was lost, and another process may hold it. */
  readonly lost: AbortSignal
  release(): Promise<void>
}

/** The request that needs a lock. */
export interface LockRequester {
  /**
   * The connection of the request. Consecutive requests on one connection wait for each other; only those of other
   * connections preempt it (D31).
   */
  readonly connection?: object
  /** Aborts when the client has disconnected: other processes should then no longer release the lock for it. */
  readonly disconnected?: AbortSignal
}

/** A request was preempted by a newer one of its session before it did anything, or its client disconnected. */
export class PreemptedError extends Error {
  override readonly name = 'PreemptedError'
  constructor() {
    super('A newer request of the session replaced this one.')
  }
}

interface QueueEntry {
  readonly controller: AbortController
  readonly connection: object | undefined
  /** The entry ahead of this one, until that has ended. */
  before: QueueEntry | undefined
  /** Resolves when this entry and all before it have ended. */
  readonly over: Promise<void>
  end(): void
}

/** Milliseconds to wait for another process: shorter than a client waits for its Ack (MC-BUP 3.1.2.2: 5 minutes). */
const LOCK_TIMEOUT = 4 * 60 * 1000

/**
 * One request at a time per session (D31). A client waits for an Ack before it sends the next packet, so a second
 * request on another connection means that the first connection is dead, whether or not this side knows yet: the newest
 * wins. If several processes share a store, its lock extends this to all of them.
 */
export class SessionLocks {
  readonly #last = new Map<string, QueueEntry>()
  readonly #store: Pick<SessionStore, 'lock'>

  constructor(store: Pick<SessionStore, 'lock'> = {}) {
    this.#store = store
  }

  /**
   * @throws PreemptedError if an even newer request arrived while this one waited, or the client disconnected.
   * @throws BitsError `session-busy` when another process does not release the session.
   */
  async acquire(key: string, requester: LockRequester = {}): Promise<SessionLease> {
    const before = this.#last.get(key)
    const entry = this.#enqueue(key, before, requester.connection)
    preempt(before, requester.connection)
    await before?.over
    entry.before = undefined
    return this.#lease(key, entry, LOCK_TIMEOUT, requester.disconnected)
  }

  /** Returns a lease if the session is idle, and `undefined` otherwise. */
  async tryAcquire(key: string, connection?: object): Promise<SessionLease | undefined> {
    if (this.#last.has(key)) return undefined
    try {
      return await this.#lease(key, this.#enqueue(key, undefined, connection), 0)
    } catch (error) {
      const isBusy = error instanceof BitsError && error.code === 'session-busy'
      if (isBusy || error instanceof PreemptedError) return undefined
      throw error
    }
  }

  async #lease(
    key: string,
    entry: QueueEntry,
    timeout: number,
    disconnected?: AbortSignal,
  ): Promise<SessionLease> {
    const lease = new Lease(key, entry)
    try {
      if (lease.signal.aborted) throw new PreemptedError()
      if (hasLock(this.#store)) await lease.lock(this.#store, timeout, disconnected)
    } catch (error) {
      entry.end()
      throw error
    }
    if (!lease.signal.aborted) return lease
    await lease.release()
    throw new PreemptedError()
  }

  #enqueue(key: string, before: QueueEntry | undefined, connection: object | undefined): QueueEntry {
    const { promise, resolve } = withResolvers()
    const entry: QueueEntry = {
      controller: new AbortController(),
      connection,
      before,
      over: before ? before.over.then(() => promise) : promise,
      end: () => {
        if (this.#last.get(key) === entry) this.#last.delete(key)
        resolve()
      },
    }
    this.#last.set(key, entry)
    return entry
  }
}

type StoreWithLock = Required<Pick<SessionStore, 'lock'>>

const hasLock = (store: Pick<SessionStore, 'lock'>): store is StoreWithLock => store.lock !== undefined

class Lease implements SessionLease {
  readonly signal: AbortSignal
  readonly #key: string
  readonly #entry: QueueEntry
  #lost: AbortController | undefined
  #unlock: ReleaseLock | undefined

  constructor(key: string, entry: QueueEntry) {
    this.#key = key
    this.#entry = entry
    this.signal = entry.controller.signal
  }

  /** Created on demand: each controller costs several microseconds. */
  get lost(): AbortSignal {
    this.#lost ??= new AbortController()
    return this.#lost.signal
  }

  /** Acquires the store's lock too. */
  async lock(store: StoreWithLock, timeout: number, disconnected: AbortSignal | undefined): Promise<void> {
    const signal = disconnected ? AbortSignal.any([this.signal, disconnected]) : this.signal
    try {
      const onReleaseRequested: LockOptions['onReleaseRequested'] = (reason) => this.#stop(reason)
      this.#unlock = await store.lock(this.#key, { timeout, onReleaseRequested, signal })
    } catch (error) {
      throw signal.aborted ? new PreemptedError() : error
    }
    if (this.#unlock) return
    throw new BitsError('session-busy', `Session ${this.#key} is in use by another process.`)
  }

  async release(): Promise<void> {
    try {
      if (this.#unlock) await this.#unlock()
    } catch {
      // A lock that was lost cannot be released, and the session is free either way.
    }
    this.#entry.end()
  }

  #stop(reason: 'wanted' | 'lost'): void {
    if (reason === 'lost') {
      this.#lost ??= new AbortController()
      this.#lost.abort(
        new BitsError('session-busy', `The lock of session ${this.#key} was lost to another process.`),
      )
    }
    this.#entry.controller.abort()
  }
}

/** Preempts the requests ahead, except those of the same connection. */
function preempt(last: QueueEntry | undefined, connection: object | undefined): void {
  for (let entry = last; entry; entry = entry.before) {
    if (connection === undefined || entry.connection !== connection) entry.controller.abort()
  }
}

function withResolvers(): { promise: Promise<void>; resolve: () => void } {
  let resolve = () => {}
  const promise = new Promise<void>((settle) => {
    resolve = settle
  })
  return { promise, resolve }
}
