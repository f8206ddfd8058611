/** How far a session has come, and how fast. */
export interface Progress {
  /** Bytes held. */
  readonly received: number
  /** Bytes per second of late. */
  readonly rate: number
}

interface Sample extends Progress {
  readonly at: number
  /** Where the next measurement of the rate begins. */
  readonly mark: { readonly at: number; readonly received: number }
}

/** A rate older than this many milliseconds says nothing about now. */
const RATE_STALE_AFTER = 5_000
/** Milliseconds over which a rate is smoothed. */
const SMOOTHING = 2_000
/**
 * Milliseconds over which a rate is measured at the least: how long it takes to read a small fragment that lies ready
 * says nothing. Shorter than the time between two notices of a fragment on its way, so that each of them counts.
 */
const SHORTEST = 250

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
    const mark = { at, received }
    const sample = before ? next(before, mark) : { ...mark, mark, rate: 0 }
    this.#samples.set(key, sample)
    return sample
  }

  get(key: string): Progress | undefined {
    const sample = this.#samples.get(key)
    if (!sample) return undefined
    return this.#now() - sample.at > RATE_STALE_AFTER ? { received: sample.received, rate: 0 } : sample
  }

  forget(key: string): void {
    this.#samples.delete(key)
  }
}

/**
 * An exponential average: what came in the last moment counts by how long that moment was. It goes back to the last
 * measurement, so that the time between two fragments counts as well.
 */
function next({ mark, rate }: Sample, now: Sample['mark']): Sample {
  const elapsed = now.at - mark.at
  // The clock was set back.
  if (elapsed < 0) return { ...now, mark: now, rate }
  if (elapsed < SHORTEST) return { ...now, mark, rate }
  const current = (Math.max(now.received - mark.received, 0) * 1000) / elapsed
  const weight = rate === 0 ? 1 : 1 - Math.exp(-elapsed / SMOOTHING)
  return { ...now, mark: now, rate: rate + (current - rate) * weight }
}
