import type { SessionInfo } from '../../types/events.js'
import type { SessionStore } from '../../types/session.js'
import type { StorageAdapter } from '../../types/storage.js'
import { asError } from '../util/errors.js'
import { allSettledOrThrow } from '../util/promises.js'
import type { Sessions } from './sessions.js'
import { sweep, sweepAll } from './sweep.js'

/** Milliseconds between two looks at the sessions that ended and are still remembered. */
const FORGET_INTERVAL = 60_000

interface HousekeepingOptions {
  readonly sessions: Sessions
  readonly storage: StorageAdapter
  /** Milliseconds between two sweeps. */
  readonly interval: number
  /** Remove all sessions at the start: uploads are switched off. */
  readonly clear: boolean
  readonly onExpired: (session: SessionInfo) => void
  readonly onError: (error: Error) => void
}

/** Opens storage and store, sweeps at the start and on an interval, and closes it all in the end. */
export class Housekeeping {
  readonly #options: HousekeepingOptions
  readonly #timers: NodeJS.Timeout[]
  #opening: Promise<void> | undefined
  #storageIsOpen = false
  #sweeping: Promise<void>
  #forgetting: Promise<void> = Promise.resolve()

  constructor(options: HousekeepingOptions) {
    this.#options = options
    // Timers never keep a process alive that has nothing else to do.
    this.#timers = [
      setInterval(() => this.#sweepAgain(), options.interval).unref(),
      setInterval(() => this.#forgetEnded(), FORGET_INTERVAL).unref(),
    ]
    this.#sweeping = this.#sweep(options.clear ? sweepAll : sweep)
  }

  /** Resolves once storage and store are open. Rejects when they cannot be; the next call tries again what failed. */
  ready(): Promise<void> {
    this.#opening ??= this.#open().catch((error: unknown) => {
      this.#opening = undefined
      throw error
    })
    return this.#opening
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
  }

  #sweepAgain(): void {
    this.#sweeping = this.#sweeping.then(() => this.#sweep(sweep))
  }

  async #sweep(kind: typeof sweep): Promise<void> {
    const { sessions, storage, onExpired } = this.#options
    try {
      await this.ready()
      await kind(sessions, storage, { onExpired, onError: (error) => this.#report(error) })
    } catch (error) {
      this.#report(error)
    }
  }

  #forgetEnded(): void {
    this.#forgetting = this.#options.sessions.forgetEnded().catch((error: unknown) => this.#report(error))
  }

  #report(error: unknown): void {
    this.#options.onError(asError(error))
  }
}

const closed = async (resource: Pick<SessionStore, 'close'>): Promise<void> => resource.close?.()
