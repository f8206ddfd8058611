import { type PassThrough, Readable } from 'node:stream'
import { setImmediate } from 'node:timers/promises'

/** A signal that never aborts. */
export const never = (): AbortSignal => new AbortController().signal

/** `content` in chunks of these sizes, repeated; without sizes, in one chunk. */
export function streamOf(content: Buffer, ...sizes: number[]): Readable {
  const chunks: Buffer[] = []
  for (let at = 0, n = 0; at < content.length; n++) {
    const size = sizes[n % sizes.length] ?? content.length
    chunks.push(content.subarray(at, at + size))
    at += size
  }
  return Readable.from(chunks, { objectMode: false })
}

/** `content`, after which the stream fails. */
export const failingAfter = (content: Buffer, error: Error): Readable =>
  Readable.from(
    (async function* () {
      for (let at = 0; at < content.length; at += 50_000) {
        yield content.subarray(at, at + 50_000)
        await setImmediate()
      }
      throw error
    })(),
    { objectMode: false },
  )

/** Number of bytes of {@link plentyOfBytes}. */
export const PLENTY = 128 * 1024 * 1024

/** More bytes than any storage buffers before it writes. */
export function plentyOfBytes(): Readable {
  const chunk = Buffer.alloc(64 * 1024)
  let left = PLENTY / chunk.length
  return new Readable({
    read() {
      this.push(left-- > 0 ? chunk : null)
    },
  })
}

export async function contentOf(stream: Readable): Promise<Buffer> {
  const chunks: Buffer[] = []
  for await (const chunk of stream) chunks.push(chunk)
  return Buffer.concat(chunks)
}

/** Resolves when the storage has read everything that was written. */
export async function consumed(body: PassThrough): Promise<void> {
  while (body.readableLength > 0 || body.writableLength > 0) await setImmediate()
}
