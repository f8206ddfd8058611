import type { SessionInfo } from '../../types/events.js'
import type { SessionStore } from '../../types/session.js'
import type { StorageAdapter } from '../../types/storage.js'
import { asError } from '../util/errors.js'
import { allSettledOrThrow } from '../util/promises.js'
import type { Sessions } from './sessions.js'
import { sweep, sweepAll } from './sweep.js'

/** Milliseconds for which a failure to open storage or store is remembered before the next attempt. */
const OPEN_RETRY_DELAY = 1_000
/** Processes that share a store, and may all have been started together, first sweep within this many milliseconds. */
const FIRST_SWEEP_SPREAD = 60_000
/** The lock of the process that sweeps. */
const SWEEP_LOCK = 'sweep'
/** Milliseconds between two removals of sessions that ended a while ago. */
const FORGET_INTERVAL = 60_000

interface HousekeepingOptions {
  readonly sessions: Sessions
  readonly storage: StorageAdapter
  /** Milliseconds between two sweeps. */
  readonly interval: number
  /** Remove all sessions at startup, because uploads are disabled. */
  readonly clear: boolean
  readonly onExpired: (session: SessionInfo) => void
  readonly onError: (error: Error) => void
}

/** Opens storage and store, sweeps at startup and at intervals, and finally closes everything. */
export class Housekeeping {
  readonly #options: HousekeepingOptions
  readonly #timers: NodeJS.Timeout[]
  #opening: Promise<void> | undefined
  #storageIsOpen = false
  #isOpen = false
  #failure: { readonly error: unknown; readonly at: number } | undefined
  #sweeping: Promise<void> = Promise.resolve()
  #requested: Promise<void> | undefined
  #forgetting: Promise<void> = Promise.resolve()

  constructor(options: HousekeepingOptions) {
    this.#options = options
    // Timers must not keep an otherwise idle process alive.
    this.#timers = [
      setInterval(() => this.#sweepAgain(), options.interval).unref(),
      setInterval(() => this.#forgetEnded(), FORGET_INTERVAL).unref(),
    ]
    if (options.clear) this.#sweeping = this.#sweep(sweepAll)
    else if (options.sessions.store.lock) this.#timers.push(this.#sweepLater())
    else this.#sweepAgain()
  }

  /** Whether storage and store are open. */
  get isOpen(): boolean {
    return this.#isOpen
  }

  /**
   * Resolves once storage and store are open. Rejects when they cannot be opened; a call at least a second later
   * tries again.
   */
  async ready(): Promise<void> {
    const { now } = this.#options.sessions
    const failure = this.#failure
    if (failure && Math.abs(now() - failure.at) < OPEN_RETRY_DELAY) throw failure.error
    this.#opening ??= this.#open().catch((error: unknown) => {
      this.#opening = undefined
      this.#failure = { error, at: now() }
      throw error
    })
    return this.#opening
  }

  /**
   * Sweeps after the sweep in progress, once for all calls that wait for it. Rejects when storage or store cannot be
   * opened or listed.
   */
  sweepNow(): Promise<void> {
    if (this.#requested) return this.#requested
    const requested = this.#sweeping.then(() => {
      this.#requested = undefined
      return this.#run(sweepAlone)
    })
    this.#requested = requested
    this.#sweeping = requested.catch(() => {})
    return requested
  }

  async close(): Promise<void> {
    for (const timer of this.#timers) clearInterval(timer)
    await Promise.all([this.#sweeping, this.#forgetting])
    const { storage, sessions } = this.#options
    await allSettledOrThrow([closed(storage), closed(sessions.store)])
  }

  async #open(): Promise<void> {
    if (!this.#storageIsOpen) await this.#options.storage.open?.()
    this.#storageIsOpen = true
    await this.#options.sessions.store.open?.()
    this.#isOpen = true
  }

  #sweepLater(): NodeJS.Timeout {
    return setTimeout(() => this.#sweepAgain(), Math.random() * FIRST_SWEEP_SPREAD).unref()
  }

  #sweepAgain(): void {
    this.#sweeping = this.#sweeping.then(() => this.#sweep(sweepAlone))
  }

  async #sweep(kind: typeof sweep): Promise<void> {
    try {
      await this.#run(kind)
    } catch (error) {
      this.#report(error)
    }
  }

  async #run(kind: typeof sweep): Promise<void> {
    const { sessions, storage, onExpired } = this.#options
    await this.ready()
    const onError = (error: unknown) => this.#report(error)
    await kind(sessions, storage, { onExpired, onError, isStopped: () => false })
  }

  #forgetEnded(): void {
    if (!this.#isOpen) return
    this.#forgetting = this.#options.sessions.forgetEnded().catch((error: unknown) => this.#report(error))
  }

  #report(error: unknown): void {
    this.#options.onError(asError(error))
  }
}

const closed = async (resource: Pick<SessionStore, 'close'>): Promise<void> => resource.close?.()

/** Sweeps unless another process is sweeping: one is enough. */
const sweepAlone: typeof sweep = async (sessions, storage, listener) => {
  const { store } = sessions
  if (!store.lock) return sweep(sessions, storage, listener)
  let isLost = false
  const release = await store.lock(SWEEP_LOCK, {
    timeout: 0,
    onReleaseRequested: (reason) => {
      isLost ||= reason === 'lost'
    },
  })
  if (!release) return
  try {
    await sweep(sessions, storage, { ...listener, isStopped: () => isLost })
  } finally {
    // A lock that was lost cannot be released.
    await Promise.resolve(release()).catch(() => {})
  }
}
