import { finished, type Readable } from 'node:stream'

/** Milliseconds after which the rest of a body is abandoned. */
const DRAIN_TIMEOUT = 30_000

/** Reads and discards a stream until it ends, `limit` bytes have been read, or half a minute has passed. */
export function drain(body: Readable, limit: number): Promise<void> {
  return new Promise((resolve) => {
    let count = 0
    const drop = (chunk: Buffer) => {
      count += chunk.length
      if (count > limit) stop()
    }
    const stop = () => {
      clearTimeout(timer)
      body.off('data', drop)
      stopWatching()
      resolve()
    }
    const timer = setTimeout(stop, DRAIN_TIMEOUT)
    const stopWatching = finished(body, { writable: false }, stop)
    if (body.readableEnded || body.destroyed) return stop()
    // An earlier reader may have failed and left the stream paused, or piped into a stream that is no longer read.
    body.unpipe()
    body.on('data', drop)
    body.resume()
  })
}
