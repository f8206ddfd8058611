import { pipeline, type Readable, Transform } from 'node:stream'
import { TokenBucket } from 'limiter'

/** A limited connection gets 20 small portions a second, so that it flows evenly. */
const SLICES_PER_SECOND = 20
/** Portions that a busy process may catch up on: no second transfers more than this above the rate. */
const BURST_SLICES = 4

/** Limits clients to a number of bytes per second by reading no faster: the rest waits in the client. */
export class Bandwidth {
  readonly #perSession: number
  readonly #total: TokenBucket | undefined

  /** @param rates bytes per second, `Infinity` for no limit. */
  constructor(rates: { readonly perSession: number; readonly total: number }) {
    this.#perSession = rates.perSession
    this.#total = isLimited(rates.total) ? bucket(rates.total) : undefined
  }

  /** The bytes of a fragment, read no faster than allowed. A session has one fragment at a time. */
  limit(body: Readable): Readable {
    const own = isLimited(this.#perSession) ? [bucket(this.#perSession)] : []
    const buckets = this.#total ? [...own, this.#total] : own
    return buckets.length > 0 ? pace(body, buckets) : body
  }
}

/** Higher rates are no limit in practice, and a bucket cannot count them. */
const isLimited = (rate: number): boolean => rate <= Number.MAX_SAFE_INTEGER

function bucket(tokensPerInterval: number): TokenBucket {
  const bucketSize = Math.max(Math.floor(tokensPerInterval / SLICES_PER_SECOND), 1) * BURST_SLICES
  return new TokenBucket({ bucketSize, tokensPerInterval, interval: 'second' })
}

/**
 * The buckets are used one after the other, not as parent and child: every session then waits in the queue of the
 * common bucket and gets its share. Child buckets poll their parent, which may always favor the same one.
 */
function pace(body: Readable, buckets: readonly TokenBucket[]): Readable {
  const piece = Math.min(...buckets.map(({ bucketSize }) => bucketSize)) / BURST_SLICES
  const paced = new Transform({
    transform(chunk: Buffer, _encoding, done) {
      const push = async () => {
        for (let start = 0; start < chunk.length && !paced.destroyed; start += piece) {
          const next = chunk.subarray(start, start + piece)
          for (const bucket of buckets) await bucket.removeTokens(next.length)
          if (!paced.destroyed) paced.push(next)
        }
      }
      push().then(() => done(), done)
    },
  })
  // Readers of `paced` receive a failure from it.
  pipeline(body, paced, () => {})
  return paced
}
