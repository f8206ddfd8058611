import { Readable } from 'node:stream'

/**
 * A stream of what `generate` yields. When the stream is destroyed, the signal aborts, so that a generator that waits for
 * a service ends at once.
 */
export function streamFrom(generate: (signal: AbortSignal) => AsyncIterable<Buffer>): Readable {
  const stop = new AbortController()
  const stream = Readable.from(generate(stop.signal), { objectMode: false })
  stream.once('close', () => stop.abort())
  return stream
}
