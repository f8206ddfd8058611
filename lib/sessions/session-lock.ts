/** The right to work on a session, until `release()`. */
export interface SessionLease {
  /** Aborts when a newer request of the session waits: stop reading, keep what arrived, release. */
  readonly signal: AbortSignal
  release(): void
}

/** A request gave way to a newer one of its session before it could do anything. */
export class PreemptedError extends Error {
  override readonly name = 'PreemptedError'
  constructor() {
    super('A newer request of the session took over.')
  }
}

interface Turn {
  readonly controller: AbortController
  /** Resolves when this turn and all before it are over. */
  readonly over: Promise<void>
}

/**
 * One request at a time a session (D31). A client waits for an Ack before it sends the next packet, so a second request
 * means that the first one's connection is dead, whether or not this side knows yet: the newest wins.
 */
export class SessionLocks {
  readonly #last = new Map<string, Turn>()

  /** @throws PreemptedError when a still newer request came while this one waited. */
  async acquire(key: string): Promise<SessionLease> {
    const before = this.#last.get(key)
    const lease = this.#enqueue(key, before)
    before?.controller.abort()
    await before?.over
    if (lease.signal.aborted) {
      lease.release()
      throw new PreemptedError()
    }
    return lease
  }

  /** For housekeeping: a lease when nobody is at work on the session, and `undefined` otherwise. */
  tryAcquire(key: string): SessionLease | undefined {
    return this.#last.has(key) ? undefined : this.#enqueue(key, undefined)
  }

  #enqueue(key: string, before: Turn | undefined): SessionLease {
    const controller = new AbortController()
    const { promise, resolve } = withResolvers()
    const turn: Turn = { controller, over: before ? before.over.then(() => promise) : promise }
    this.#last.set(key, turn)
    const release = () => {
      if (this.#last.get(key) === turn) this.#last.delete(key)
      resolve()
    }
    return { signal: controller.signal, release }
  }
}

function withResolvers(): { promise: Promise<void>; resolve: () => void } {
  let resolve = () => {}
  const promise = new Promise<void>((settle) => {
    resolve = settle
  })
  return { promise, resolve }
}
