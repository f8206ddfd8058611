import type { SessionStore } from '../../types/session.js'
import { BitsError } from '../protocol/bits-error.js'

/** The right to work on a session, until `release()`. */
export interface SessionLease {
  /** Aborts when a newer request of the session waits: stop reading, keep what arrived, release. */
  readonly signal: AbortSignal
  release(): Promise<void>
}

/** A request gave way to a newer one of its session before it could do anything, or its client went. */
export class PreemptedError extends Error {
  override readonly name = 'PreemptedError'
  constructor() {
    super('A newer request of the session took over.')
  }
}

interface QueueEntry {
  readonly controller: AbortController
  /** Resolves when this turn and all before it are over. */
  readonly over: Promise<void>
  end(): void
}

/** Milliseconds to wait for another process: shorter than a client waits for its Ack (MC-BUP 3.1.2.2: 5 minutes). */
const LOCK_TIMEOUT = 4 * 60 * 1000

/**
 * One request at a time a session (D31). A client waits for an Ack before it sends the next packet, so a second request
 * means that the first one's connection is dead, whether or not this side knows yet: the newest wins. Where several
 * processes share a store, its lock extends this over all of them.
 */
export class SessionLocks {
  readonly #last = new Map<string, QueueEntry>()
  readonly #store: Pick<SessionStore, 'lock'>

  constructor(store: Pick<SessionStore, 'lock'> = {}) {
    this.#store = store
  }

  /**
   * @param connected aborts when the client is gone, to which another process is not to give way then.
   * @throws PreemptedError when a still newer request came while this one waited, or the client went.
   * @throws BitsError `session-busy` when another process does not let go of the session.
   */
  async acquire(key: string, connected?: AbortSignal): Promise<SessionLease> {
    const before = this.#last.get(key)
    const turn = this.#enqueue(key, before)
    before?.controller.abort()
    await before?.over
    return this.#lease(key, turn, LOCK_TIMEOUT, connected)
  }

  /** For housekeeping: a lease when nobody is at work on the session, and `undefined` otherwise. */
  async tryAcquire(key: string): Promise<SessionLease | undefined> {
    if (this.#last.has(key)) return undefined
    try {
      return await this.#lease(key, this.#enqueue(key, undefined), 0)
    } catch (error) {
      const isBusy = error instanceof BitsError && error.code === 'session-busy'
      if (isBusy || error instanceof PreemptedError) return undefined
      throw error
    }
  }

  async #lease(key: string, turn: QueueEntry, wait: number, connected?: AbortSignal): Promise<SessionLease> {
    const { signal } = turn.controller
    try {
      if (signal.aborted) throw new PreemptedError()
      const unlock = await this.#lockStore(key, turn, wait, connected)
      const release = async () => {
        // A lock that was lost cannot be given back: the session is free either way.
        await unlock().catch(() => {})
        turn.end()
      }
      if (!signal.aborted) return { signal, release }
      await release()
      throw new PreemptedError()
    } catch (error) {
      turn.end()
      throw error
    }
  }

  async #lockStore(
    key: string,
    { controller }: QueueEntry,
    wait: number,
    connected?: AbortSignal,
  ): Promise<() => Promise<void>> {
    if (!this.#store.lock) return async () => {}
    const signal = connected ? AbortSignal.any([controller.signal, connected]) : controller.signal
    const unlock = await this.#store
      .lock(key, { timeout: wait, onReleaseRequested: () => controller.abort(), signal })
      .catch((error: unknown) => {
        throw signal.aborted ? new PreemptedError() : error
      })
    // Also of a store in plain JavaScript, whose function may not be an async one.
    if (unlock) return async () => unlock()
    throw new BitsError('session-busy', `Session ${key} is being worked on by another process.`)
  }

  #enqueue(key: string, before: QueueEntry | undefined): QueueEntry {
    const { promise, resolve } = withResolvers()
    const turn: QueueEntry = {
      controller: new AbortController(),
      over: before ? before.over.then(() => promise) : promise,
      end: () => {
        if (this.#last.get(key) === turn) this.#last.delete(key)
        resolve()
      },
    }
    this.#last.set(key, turn)
    return turn
  }
}

function withResolvers(): { promise: Promise<void>; resolve: () => void } {
  let resolve = () => {}
  const promise = new Promise<void>((settle) => {
    resolve = settle
  })
  return { promise, resolve }
}
