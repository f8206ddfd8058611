import { pipeline, type Readable, Transform } from 'node:stream'
import { TokenBucket } from 'limiter'

/** A moment's worth of bytes is taken at a time, so that a limited line flows instead of pulsing: ten a second. */
const MOMENTS = 10
/** Bytes: the least that is taken at a time. */
const MIN_PIECE = 512

/** Holds clients to so many bytes per second, by reading no faster: the rest waits in the client. */
export class Bandwidth {
  readonly #perSession: number
  readonly #total: TokenBucket | undefined

  /** @param rates bytes per second, `Infinity` for no limit. */
  constructor(rates: { readonly perSession: number; readonly total: number }) {
    this.#perSession = rates.perSession
    this.#total = Number.isFinite(rates.total) ? bucket(rates.total) : undefined
  }

  /** A fragment's bytes, no faster than is allowed. A session has one fragment at a time. */
  limit(body: Readable): Readable {
    const own = Number.isFinite(this.#perSession) ? bucket(this.#perSession, this.#total) : this.#total
    return own ? pace(body, own) : body
  }
}

function bucket(rate: number, parentBucket?: TokenBucket): TokenBucket {
  const bucketSize = Math.max(rate / MOMENTS, MIN_PIECE)
  return new TokenBucket({
    bucketSize,
    tokensPerInterval: rate,
    interval: 'second',
    ...(parentBucket ? { parentBucket } : {}),
  })
}

function pace(body: Readable, own: TokenBucket): Readable {
  const piece = Math.floor(Math.min(own.bucketSize, own.parentBucket?.bucketSize ?? own.bucketSize))
  const paced = new Transform({
    transform(chunk: Buffer, _encoding, done) {
      const hand = async () => {
        for (let start = 0; start < chunk.length && !paced.destroyed; start += piece) {
          const next = chunk.subarray(start, start + piece)
          await own.removeTokens(next.length)
          paced.push(next)
        }
      }
      hand().then(() => done(), done)
    },
  })
  // Whoever reads `paced` learns of a failure from it.
  pipeline(body, paced, () => {})
  return paced
}
