import { BoundedMap } from '../util/bounded-map.js'

/** Milliseconds that one bar of the chart stands for. */
export const BUCKET = 5_000
/** Bars of the chart: ten minutes. */
export const BUCKETS = 120
/** Sessions whose last offset is remembered. */
const MAX_MEASURED_SESSIONS = 100_000

/** Bytes per bar of the chart, the latest last. */
export interface ThroughputView {
  /** Number of the last bar since 1970. */
  readonly last: number
  readonly bytes: readonly number[]
}

/** Bytes received in the last ten minutes, from what sessions report about their progress. */
export class Throughput {
  readonly #received = new BoundedMap<string, number>(MAX_MEASURED_SESSIONS)
  readonly #bytes = new Map<number, number>()

  /** Counts what a session has received since its last report. The first report of a session only sets its start. */
  note(uploadId: string, received: number, now: number): void {
    const before = this.#received.get(uploadId) ?? received
    this.#received.set(uploadId, received)
    const bucket = Math.floor(now / BUCKET)
    this.#bytes.set(bucket, (this.#bytes.get(bucket) ?? 0) + Math.max(received - before, 0))
    for (const old of this.#bytes.keys()) {
      if (old > bucket - BUCKETS) break
      this.#bytes.delete(old)
    }
  }

  forget(uploadId: string): void {
    this.#received.delete(uploadId)
  }

  /** The last `count` bars. */
  view(now: number, count: number): ThroughputView {
    const last = Math.floor(now / BUCKET)
    const bytes = Array.from({ length: count }, (_, index) => this.#bytes.get(last - count + 1 + index) ?? 0)
    return { last, bytes }
  }
}
