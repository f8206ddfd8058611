import { pipeline, type Readable, Transform } from 'node:stream'

/** `body` without its first `count` bytes, which were received before (Win32 Fragment, D2). */
export function skipBytes(body: Readable, count: number): Readable {
  if (count === 0) return body
  let left = count
  const rest = new Transform({
    transform(chunk: Buffer, _encoding, done) {
      const skipped = Math.min(left, chunk.length)
      left -= skipped
      done(null, skipped === chunk.length ? undefined : chunk.subarray(skipped))
    },
  })
  // Readers of `rest` receive a failure from it.
  pipeline(body, rest, () => {})
  return rest
}
