import { finished, type Readable } from 'node:stream'

/** Milliseconds after which a sender is no longer listened to. */
const MAX_WAIT = 30_000

/** Reads and drops a stream's bytes until it is over, `limit` bytes have come, or half a minute has passed. */
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
    const timer = setTimeout(stop, MAX_WAIT)
    const stopWatching = finished(body, { writable: false }, stop)
    if (body.readableEnded || body.destroyed) return stop()
    // Whoever read before may have failed, and left the stream paused, or piped into something that nobody reads.
    body.unpipe()
    body.on('data', drop)
    body.resume()
  })
}
