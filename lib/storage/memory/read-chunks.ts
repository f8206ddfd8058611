import { finished, type Readable } from 'node:stream'

/** Passes each chunk to `take` until the stream ends for any reason, or `signal` aborts. */
export function readChunks(
  body: Readable,
  signal: AbortSignal,
  take: (chunk: Buffer) => void,
): Promise<void> {
  return new Promise((resolve, reject) => {
    const onData = (chunk: Buffer) => {
      try {
        take(chunk)
      } catch (error) {
        settle(() => reject(error))
      }
    }
    const onEnd = () => settle(resolve)
    const settle = (outcome: () => void) => {
      body.off('data', onData).pause()
      signal.removeEventListener('abort', onEnd)
      stopWatching()
      outcome()
    }
    const stopWatching = finished(body, { writable: false }, onEnd)
    signal.addEventListener('abort', onEnd, { once: true })
    if (signal.aborted) onEnd()
    else body.on('data', onData)
  })
}
