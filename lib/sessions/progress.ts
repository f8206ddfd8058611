/** How far a session has come, and how fast. */
export interface Progress {
  /** Bytes held. */
  readonly received: number
  /** Bytes per second of late. */
  readonly rate: number
}

interface Sample extends Progress {
  readonly at: number
}

/** A rate older than this many milliseconds says nothing about now. */
const STALE = 5_000
/** Milliseconds over which a rate is smoothed. */
const SMOOTHING = 2_000

/** Progress of the sessions this process has seen, in memory: what pages and logs show, never what an Ack says. */
export class ProgressBook {
  readonly #samples = new Map<string, Sample>()
  readonly #now: () => number

  constructor(now: () => number) {
    this.#now = now
  }

  /** Notes that a session holds `received` bytes now. */
  note(key: string, received: number): Progress {
    const at = this.#now()
    const before = this.#samples.get(key)
    const sample = { received, at, rate: before ? smoothed(before, received, at) : 0 }
    this.#samples.set(key, sample)
    return sample
  }

  get(key: string): Progress | undefined {
    const sample = this.#samples.get(key)
    if (!sample) return undefined
    return this.#now() - sample.at > STALE ? { received: sample.received, rate: 0 } : sample
  }

  forget(key: string): void {
    this.#samples.delete(key)
  }
}

/** An exponential average: what came in the last moment counts by how long that moment was. */
function smoothed(before: Sample, received: number, at: number): number {
  const elapsed = Math.max(at - before.at, 1)
  const current = (Math.max(received - before.received, 0) * 1000) / elapsed
  const weight = before.rate === 0 ? 1 : 1 - Math.exp(-elapsed / SMOOTHING)
  return before.rate + (current - before.rate) * weight
}
