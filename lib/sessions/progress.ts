import { BoundedMap } from '../util/bounded-map.js'

/** The sender of a fragment. */
export interface FragmentSender {
  readonly address: string | undefined
  /** Bytes of its fragment. */
  readonly fragmentSize: number
}

/** The progress of a session, its speed, and its latest sender. */
export interface Progress {
  /** Bytes received. */
  readonly received: number
  /** Recent bytes per second. */
  readonly rate: number
  readonly address?: string | undefined
  readonly fragmentSize?: number | undefined
}

interface Measurement {
  readonly received: number
  readonly rate: number
  readonly at: number
  /** Where the next measurement of the rate begins. */
  readonly mark: { readonly at: number; readonly received: number }
}

type Sample = Progress & Measurement

/** Milliseconds after which a rate is out of date. */
const RATE_STALE_AFTER = 5_000
/** Milliseconds over which a rate is smoothed. */
const SMOOTHING = 2_000
/**
 * Minimum time in milliseconds over which a rate is measured: the time to read a small fragment that has already
 * arrived is meaningless. Shorter than the interval between two events of a long fragment, so that each of them
 * counts.
 */
const SHORTEST = 250

/** Sessions whose progress is kept. */
const MAX_SAMPLES = 10_000
/** Milliseconds for which it is kept. */
const SAMPLE_TTL = 10 * 60 * 1000

/** Progress of the sessions this process has served recently: for pages and logs, never for an Ack. */
export class ProgressBook {
  readonly #samples = new BoundedMap<string, Sample>(MAX_SAMPLES)
  readonly #now: () => number

  constructor(now: () => number) {
    this.#now = now
  }

  get size(): number {
    return this.#samples.size
  }

  /** Records that `received` bytes of a session have arrived by now. Default sender: the one before. */
  note(key: string, received: number, sender?: FragmentSender): Progress {
    const at = this.#now()
    const before = this.#samples.get(key)
    const mark = { at, received }
    const { address, fragmentSize } = sender ?? before ?? {}
    const sample = { ...(before ? next(before, mark) : { ...mark, mark, rate: 0 }), address, fragmentSize }
    return this.#samples.set(key, sample)
  }

  get(key: string): Progress | undefined {
    const sample = this.#samples.get(key)
    if (!sample) return undefined
    return this.#now() - sample.at > RATE_STALE_AFTER ? { ...sample, rate: 0 } : sample
  }

  forget(key: string): void {
    this.#samples.delete(key)
  }

  /** Removes old samples: the session may have continued, or ended, in another process. */
  forgetOld(): void {
    const before = this.#now() - SAMPLE_TTL
    for (const [key, { at }] of this.#samples) {
      if (at >= before) return
      this.#samples.delete(key)
    }
  }
}

/**
 * An exponential average, weighted by the length of each measurement. It starts at the last measurement, so that the
 * time between two fragments counts as well.
 */
function next({ mark, rate }: Measurement, now: Measurement['mark']): Measurement {
  const elapsed = now.at - mark.at
  // The clock was set back.
  if (elapsed < 0) return { ...now, mark: now, rate }
  if (elapsed < SHORTEST) return { ...now, mark, rate }
  const current = (Math.max(now.received - mark.received, 0) * 1000) / elapsed
  const weight = rate === 0 ? 1 : 1 - Math.exp(-elapsed / SMOOTHING)
  return { ...now, mark: now, rate: rate + (current - rate) * weight }
}
