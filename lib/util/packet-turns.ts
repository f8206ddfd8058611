import { setImmediate } from 'node:timers'

/** Milliseconds from the first packet of an event-loop turn until the next ones wait for a later turn. */
const TIME_OF_PACKETS = 1
/** Packets that are tried in one turn: thousands may wait, and trying all of them each time would take long itself. */
const MAX_TRIES = 32

/**
 * Spreads packets over turns of the event loop. Those of many clients often arrive at once, and a small one is handled
 * without waiting for the disk: together, they would keep all other requests waiting.
 */
export class PacketTurns {
  readonly #now: () => number
  /** When the first packet of this turn began; `undefined` before it. */
  #turnStart: number | undefined
  /** Packets that wait, in order. */
  readonly #waiting: (() => void)[] = []
  /** Tries to come. */
  #tries = 0

  /** @param now milliseconds; tests replace it. */
  constructor(now: () => number = () => performance.now()) {
    this.#now = now
  }

  /** @returns `undefined` if a packet can be handled now; otherwise a promise that resolves when it is its turn. */
  next(): Promise<void> | undefined {
    if (this.#waiting.length === 0 && this.#hasTime()) return undefined
    return new Promise((resolve) => {
      this.#waiting.push(resolve)
      this.#tryLater()
    })
  }

  #hasTime(): boolean {
    if (this.#turnStart !== undefined) return this.#now() - this.#turnStart < TIME_OF_PACKETS
    this.#turnStart = this.#now()
    setImmediate(() => {
      this.#turnStart = undefined
    })
    return true
  }

  #tryLater(): void {
    if (this.#tries >= Math.min(this.#waiting.length, MAX_TRIES)) return
    this.#tries++
    setImmediate(this.#try)
  }

  /** A packet that begins here is handled before the next try, as far as it waits for nothing. */
  readonly #try = (): void => {
    this.#tries--
    if (this.#hasTime()) this.#waiting.shift()?.()
    this.#tryLater()
  }
}

/** The turns of this thread, which all `bitsUpload()` share. */
export const packetTurns = new PacketTurns()
