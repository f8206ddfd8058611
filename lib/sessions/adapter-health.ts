import type { StorageAdapter } from '../../types/storage.js'
import type { BitsHealth } from '../../types/tracing.js'
import { failedAdapter } from '../util/adapter-failure.js'
import { withDeadline } from '../util/deadline.js'
import { asError } from '../util/errors.js'
import type { Housekeeping } from './housekeeping.js'
import type { Sessions } from './sessions.js'

/** Milliseconds between two checks. */
const HEALTH_CHECK_INTERVAL = 1_000
/** Milliseconds that an adapter may take to respond. */
const HEALTH_CHECK_TIMEOUT = 5_000

interface CheckedService {
  readonly storage: StorageAdapter
  readonly sessions: Sessions
  readonly housekeeping: Housekeeping
}

/** Checks storage and session store at most once a second, however many callers ask. */
export class AdapterHealth {
  readonly #service: CheckedService
  #latest: { readonly at: number; readonly result: Promise<BitsHealth> } | undefined
  #isRunning = false
  /** Checks that have not settled yet, by adapter: one that hangs is not started again. */
  readonly #pending = new Map<object, Promise<void>>()

  constructor(service: CheckedService) {
    this.#service = service
  }

  check(): Promise<BitsHealth> {
    const { now } = this.#service.sessions
    const { at, result } = this.#latest ?? {}
    if (result && at !== undefined && (this.#isRunning || Math.abs(now() - at) < HEALTH_CHECK_INTERVAL))
      return result
    this.#isRunning = true
    const started = this.#run().finally(() => {
      this.#isRunning = false
    })
    this.#latest = { at: now(), result: started }
    return started
  }

  async #run(): Promise<BitsHealth> {
    const { storage, sessions, housekeeping } = this.#service
    const opened = await problemOf(this.#once(housekeeping, async () => housekeeping.ready()))
    if (opened) {
      const isStore = failedAdapter(opened.error) === 'session store'
      return {
        storage: isStore ? 'ok' : opened.reason,
        sessions: isStore ? opened.reason : 'not open yet',
      }
    }
    const [storageProblem, storeProblem] = await Promise.all([
      problemOf(this.#once(storage, async () => storage.check?.())),
      problemOf(this.#once(sessions.store, async () => sessions.store.check?.())),
    ])
    return { storage: storageProblem?.reason ?? 'ok', sessions: storeProblem?.reason ?? 'ok' }
  }

  #once(adapter: object, start: () => Promise<void>): Promise<void> {
    const running = this.#pending.get(adapter)
    if (running) return running
    const work = start()
    this.#pending.set(adapter, work)
    const settled = () => void this.#pending.delete(adapter)
    work.then(settled, settled)
    return work
  }
}

async function problemOf(work: Promise<void>): Promise<{ reason: string; error: unknown } | undefined> {
  try {
    await withDeadline(work, HEALTH_CHECK_TIMEOUT, () => {})
    return undefined
  } catch (error) {
    return { reason: asError(error).message || 'failed', error }
  }
}
