import { createHmac, randomBytes } from 'node:crypto'
import { CheckQueue, type Claimant, type Standing } from './check-queue.js'
import { addressKey } from './client-address.js'
import { FailureCounts } from './failure-counts.js'
import { FailureDelays } from './failure-delays.js'
import { busy, TooBusyError } from './too-busy-error.js'
import { VerdictMemory } from './verdict-memory.js'

/** Maximum number of checks that wait for a worker. More would only wait until their clients had given up. */
const MAX_WAITING = 256

/** Milliseconds that a check may wait. Windows waits five minutes for an answer. */
const MAX_CHECK_WAIT = 30_000

/** Bytes. htpasswd takes up to 255; one a hundred times as long would take a hundred times as long to check. */
const MAX_CHECKED_PASSWORD = 1024

/** Characters of a name by which failures are counted: the counts are kept for a while, and a name may be long. */
const MAX_COUNTED_NAME = 64

/** Compares a password with a hash, off the main thread. */
export interface Matcher {
  /** How many comparisons may run at a time. */
  readonly size: number
  matches(hash: string, password: string): Promise<boolean>
}

export interface PasswordClaim {
  /** The address of the client. */
  readonly address: string | undefined
  readonly user: string
  readonly password: string
  /** The hash of this user; of another user when {@link isKnown} is false, so that both take equally long. */
  readonly hash: string
  readonly isKnown: boolean
}

interface PendingCheck extends Claimant, Pick<PasswordClaim, 'password' | 'hash' | 'isKnown'> {
  readonly mark: string
  readonly settle: (verdict: boolean) => void
  readonly fail: (error: Error) => void
}

/**
 * Checks passwords so that no client can lock others out: a bounded queue in front of a few workers, fair by address
 * and by user. Results are remembered for a minute, and the more wrong passwords an address sends, the longer the
 * answers take.
 */
export class PasswordGate {
  readonly #matcher: Matcher
  readonly #queue: CheckQueue<PendingCheck>
  readonly #memory: VerdictMemory
  readonly #failures: FailureCounts
  /** Kept instead of passwords: HMACs with a key that exists only in this process. */
  readonly #key = randomBytes(32)
  readonly #running = new Set<PendingCheck>()
  readonly #closing = new AbortController()
  readonly #delays = new FailureDelays()

  /** @param now milliseconds, a clock that a test can hold still. */
  constructor(matcher: Matcher, now: () => number = () => performance.now()) {
    this.#matcher = matcher
    this.#memory = new VerdictMemory(now)
    this.#failures = new FailureCounts(now)
    this.#queue = new CheckQueue(MAX_WAITING, (check) => this.#standingOf(check))
  }

  /**
   * Whether the credentials are right.
   *
   * @param gone called when a check has to wait; its signal aborts when the client disconnects.
   * @throws TooBusyError when too many others wait, or when the client disconnects.
   */
  async isRight(credentials: PasswordClaim, gone?: () => AbortSignal): Promise<boolean> {
    const { user, password, hash, isKnown } = credentials
    const claimant = { address: addressKey(credentials.address), user: user.slice(0, MAX_COUNTED_NAME) }
    // A name that does not exist is checked against another user's hash, which may be its own hash in another file.
    const mark = this.#markOf(user, password, hash, String(isKnown))
    const known = Buffer.byteLength(password) > MAX_CHECKED_PASSWORD ? false : this.#memory.recall(mark)
    if (known === true) return true
    const signal = gone?.()
    if (known === false) this.#noteFailure(claimant)
    const verdict = known ?? (await this.#wait({ ...claimant, password, hash, isKnown, mark }, signal))
    if (!verdict) await this.#delayAnswer(claimant, signal)
    return verdict
  }

  /** Settles all waiting checks: with the verdict if it is known, otherwise with a {@link TooBusyError}. */
  close(): void {
    this.#closing.abort()
    for (const check of this.#queue.takeAll(() => true)) check.fail(busy())
  }

  #markOf(...facts: readonly string[]): string {
    return createHmac('sha256', this.#key).update(JSON.stringify(facts)).digest('base64')
  }

  #wait(facts: Omit<PendingCheck, 'settle' | 'fail'>, signal: AbortSignal | undefined): Promise<boolean> {
    return new Promise((resolve, reject) => {
      const end = () => {
        clearTimeout(timer)
        signal?.removeEventListener('abort', onGone)
        this.#queue.remove(check)
      }
      const check: PendingCheck = {
        ...facts,
        settle: (verdict) => {
          end()
          resolve(verdict)
        },
        fail: (error) => {
          end()
          reject(error)
        },
      }
      const onGone = () => check.fail(new TooBusyError('The client has disconnected.'))
      const timer = setTimeout(() => check.fail(busy()), MAX_CHECK_WAIT)
      timer.unref()
      signal?.addEventListener('abort', onGone)
      if (signal?.aborted) return onGone()
      if (this.#closing.signal.aborted) return check.fail(busy())
      this.#queue.add(check)?.fail(busy())
      this.#runNext()
    })
  }

  #runNext(): void {
    while (this.#running.size < this.#matcher.size) {
      const marks = new Set([...this.#running].map(({ mark }) => mark))
      const check = this.#queue.next(({ mark }) => !marks.has(mark))
      if (!check) return
      this.#running.add(check)
      void this.#run(check)
    }
  }

  async #run(check: PendingCheck): Promise<void> {
    try {
      const verdict = (await this.#matcher.matches(check.hash, check.password)) && check.isKnown
      this.#memory.keep(check.mark, verdict)
      // Others wait for the same verdict: a client may use several connections.
      for (const one of [check, ...this.#queue.takeAll(({ mark }) => mark === check.mark)]) {
        if (verdict) this.#failures.clear(pairKey(one))
        else this.#noteFailure(one)
        one.settle(verdict)
      }
    } catch (error) {
      check.fail(error instanceof Error ? error : new Error(String(error)))
    } finally {
      this.#running.delete(check)
      this.#runNext()
    }
  }

  #standingOf(check: Claimant): Standing {
    let address = this.#failures.of(check.address)
    let user = this.#failures.of(pairKey(check))
    for (const other of this.#running) {
      if (other.address !== check.address) continue
      address++
      if (other.user === check.user) user++
    }
    return { address, user }
  }

  #noteFailure(claimant: Claimant): void {
    this.#failures.add(claimant.address)
    this.#failures.add(pairKey(claimant))
  }

  #delayAnswer({ address }: Claimant, signal: AbortSignal | undefined): Promise<void> {
    const signals = [this.#closing.signal, ...(signal ? [signal] : [])]
    return this.#delays.wait(this.#failures.of(address), AbortSignal.any(signals))
  }
}

const pairKey = ({ address, user }: Claimant): string => JSON.stringify([address, user])
