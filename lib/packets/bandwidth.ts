import { pipeline, type Readable, Transform } from 'node:stream'
import { TokenBucket } from 'limiter'

/** A moment's worth of bytes is taken at a time, so that a limited line flows instead of pulsing: 20 a second. */
const SLICES_PER_SECOND = 20
/** Moments that a busy process may make up for. In no second more than this comes on top of the rate. */
const BURST_SLICES = 4

/** Holds clients to so many bytes per second, by reading no faster: the rest waits in the client. */
export class Bandwidth {
  readonly #perSession: number
  readonly #total: TokenBucket | undefined

  /** @param rates bytes per second, `Infinity` for no limit. */
  constructor(rates: { readonly perSession: number; readonly total: number }) {
    this.#perSession = rates.perSession
    this.#total = isLimited(rates.total) ? bucket(rates.total) : undefined
  }

  /** A fragment's bytes, no faster than is allowed. A session has one fragment at a time. */
  limit(body: Readable): Readable {
    const own = isLimited(this.#perSession) ? [bucket(this.#perSession)] : []
    const buckets = this.#total ? [...own, this.#total] : own
    return buckets.length > 0 ? pace(body, buckets) : body
  }
}

/** More than this nobody sends, and no bucket counts. */
const isLimited = (rate: number): boolean => rate <= Number.MAX_SAFE_INTEGER

function bucket(tokensPerInterval: number): TokenBucket {
  const bucketSize = Math.max(Math.floor(tokensPerInterval / SLICES_PER_SECOND), 1) * BURST_SLICES
  return new TokenBucket({ bucketSize, tokensPerInterval, interval: 'second' })
}

/**
 * One bucket after the other, and not as parent and child: whoever waits for the common one is in its queue then, and
 * gets as much as all others. Children of a bucket look at it by turns that may always favour the same one.
 */
function pace(body: Readable, buckets: readonly TokenBucket[]): Readable {
  const piece = Math.min(...buckets.map(({ bucketSize }) => bucketSize)) / BURST_SLICES
  const paced = new Transform({
    transform(chunk: Buffer, _encoding, done) {
      const hand = async () => {
        for (let start = 0; start < chunk.length && !paced.destroyed; start += piece) {
          const next = chunk.subarray(start, start + piece)
          for (const bucket of buckets) await bucket.removeTokens(next.length)
          if (!paced.destroyed) paced.push(next)
        }
      }
      hand().then(() => done(), done)
    },
  })
  // Whoever reads `paced` learns of a failure from it.
  pipeline(body, paced, () => {})
  return paced
}
