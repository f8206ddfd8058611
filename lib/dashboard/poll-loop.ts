/** Minimum milliseconds between two readings. */
const POLL_INTERVAL = 5_000
/**
 * A slow reading is followed by a pause this many times as long, so that readings take at most a twentieth of the time.
 */
const PAUSE_FACTOR = 20
/** Milliseconds after which the loop ends unless {@link start} is called again. */
const UNUSED_AFTER = 10_000

/** Reads repeatedly, as long as there are viewers. */
export class PollLoop {
  readonly #read: () => Promise<void>
  readonly #onEnd: () => void
  #wantedUntil = 0
  #first: Promise<void> | undefined
  #timer: NodeJS.Timeout | undefined
  #stopped = false
  polling = false

  /**
   * @param read never rejects.
   * @param onEnd called when there are no viewers left.
   */
  constructor(read: () => Promise<void>, onEnd: () => void) {
    this.#read = read
    this.#onEnd = onEnd
  }

  get running(): boolean {
    return this.#first !== undefined
  }

  /** Starts the loop, or keeps it running for ten more seconds. Resolves after its first reading. */
  keepRunning(): Promise<void> {
    this.#wantedUntil = Date.now() + UNUSED_AFTER
    this.#first ??= this.#turn()
    return this.#first
  }

  stop(): void {
    this.#stopped = true
    clearTimeout(this.#timer)
  }

  async #turn(): Promise<void> {
    const begin = Date.now()
    this.polling = true
    await this.#read()
    this.polling = false
    if (this.#stopped) return
    const pause = Math.max(POLL_INTERVAL, (Date.now() - begin) * PAUSE_FACTOR)
    this.#timer = setTimeout(() => this.#next(), pause).unref()
  }

  #next(): void {
    if (Date.now() <= this.#wantedUntil) {
      void this.#turn()
      return
    }
    this.#first = undefined
    this.#onEnd()
  }
}
