import { IncomingMessage } from 'node:http'
import type { Readable } from 'node:stream'
import { withDeadline } from '../../util/deadline.js'
import { allowReleaseOf, ChunkRelease } from '../../util/release-chunks.js'
import type { Bucket, Range } from './bucket.js'
import { ignoreMissing, toStorageError } from './service-error.js'

/** Number of consecutive responses that may fail before their first byte. */
const MAX_FAILURES = 3

/** How an object is read. */
export interface ReadOptions {
  readonly signal?: AbortSignal | undefined
  /** Whether the reader has copied a chunk when it asks for the next one, so that its memory can be freed. */
  readonly isCopied?: boolean
}

/**
 * Reads a range of an object. An incomplete response is continued with another request.
 *
 * @throws if the object does not exist, was replaced in the meantime, or does not have that many bytes.
 */
export async function* readObject(
  bucket: Bucket,
  key: string,
  { from, to }: Range,
  { signal, isCopied = false }: ReadOptions = {},
): AsyncGenerator<Buffer> {
  let position = from
  let etag: string | undefined
  for (let failures = 0; position < to; ) {
    const answer = await bucket.get(key, { from: position, to }, { etag, signal })
    etag = answer.etag
    const before = position
    const memory = isCopied ? memoryOf(answer.body) : undefined
    try {
      for await (const chunk of chunksOf(answer.body, bucket.timeout, signal)) {
        position += chunk.length
        if (position > to) break
        yield chunk
        memory?.release([chunk])
      }
    } catch (error) {
      failures = position > before ? 0 : failures + 1
      if (failures >= MAX_FAILURES || signal?.aborted) {
        throw toStorageError(error, `GetObject of "${bucket.name}/${key}"`)
      }
      continue
    }
    if (position !== to) {
      throw new Error(
        `S3Storage: bytes ${from} to ${to - 1} of "${bucket.name}/${key}" end at ${position - 1}.`,
      )
    }
  }
}

function memoryOf(body: Readable): ChunkRelease {
  if (body instanceof IncomingMessage) allowReleaseOf(body)
  return new ChunkRelease(body)
}

/** The text of an object of up to 64 KiB; `undefined` if it does not exist. */
export async function readText(bucket: Bucket, key: string): Promise<string | undefined> {
  const answer = await bucket.get(key, { from: 0, to: 64 * 1024 }).catch(ignoreMissing)
  if (!answer) return undefined
  const chunks: Buffer[] = []
  for await (const chunk of chunksOf(answer.body, bucket.timeout)) chunks.push(chunk)
  return Buffer.concat(chunks).toString()
}

/** The chunks of a response, each of which must arrive within `timeout` milliseconds. */
async function* chunksOf(body: Readable, timeout: number, signal?: AbortSignal): AsyncGenerator<Buffer> {
  const chunks = body[Symbol.asyncIterator]()
  const abort = () => void body.destroy(new Error('aborted'))
  signal?.addEventListener('abort', abort, { once: true })
  try {
    for (;;) {
      const next = await withDeadline(chunks.next(), timeout, () => void body.destroy())
      if (next.done) return
      yield next.value
    }
  } finally {
    signal?.removeEventListener('abort', abort)
    body.destroy()
  }
}
