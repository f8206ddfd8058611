import { finished, type Readable, Transform } from 'node:stream'
import { types } from 'node:util'
import { describeValue } from '../validation/describe-value.js'

/**
 * A reply being copied from an application to the storage. Each side has its own stream: a shared one would report an error
 * without saying which side failed.
 */
export class ReplyBody {
  /** The reply, for the storage to read. Destroying it does not fail the application's stream. */
  readonly bytes: Readable
  /** The error of the application's stream, if it failed. */
  failure: Error | undefined
  readonly #source: Readable

  /** @param source of strings, `Uint8Array`s, or both. */
  constructor(source: Readable) {
    const bytes = new Transform({
      writableObjectMode: true,
      transform: (chunk: unknown, _encoding, done) => {
        if (isChunk(chunk)) return done(null, chunk)
        const expected = 'emit strings or Uint8Arrays'
        this.failure = new TypeError(
          `onUpload returned a stream that emitted ${describeValue(chunk)}: ${expected}.`,
        )
        done(this.failure)
      },
    })
    // A storage that is still preparing has no listener yet: it will find the stream destroyed.
    bytes.on('error', () => {})
    finished(source, { writable: false }, (cause) => {
      if (!cause || bytes.destroyed) return
      this.failure = cause
      bytes.destroy(cause)
    })
    this.#source = source
    this.bytes = source.pipe(bytes)
  }

  /** Destroys both streams. */
  release(): void {
    this.bytes.destroy()
    this.#source.destroy()
  }
}

const isChunk = (chunk: unknown): chunk is string | Uint8Array =>
  typeof chunk === 'string' || types.isUint8Array(chunk)
