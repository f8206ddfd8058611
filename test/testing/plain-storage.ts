import { Readable } from 'node:stream'
import { BitsError, type StagedData, type StagedUpload, type StorageAdapter } from 'express-bits-upload'
import { contentOf } from '../../lib/testing/bodies.js'

type Published = { readonly content: Buffer; readonly uploadId: string }

/** A storage that is correct and as simple as possible. Broken storages replace one of its methods. */
export class PlainStorage implements StorageAdapter {
  readonly files = new Map<string, Published>()
  readonly bytes = new Map<string, Buffer>()
  readonly replies = new Map<string, { content: Buffer; lastModified: Date }>()
  /** Upload ids for which nothing more can be stored. */
  readonly full = new Set<string>()

  async has(destination: string): Promise<boolean> {
    return this.files.has(destination)
  }

  async begin({ uploadId }: StagedUpload): Promise<void> {
    this.bytes.set(uploadId, Buffer.alloc(0))
  }

  async append(upload: StagedUpload, offset: number, body: Readable, signal: AbortSignal): Promise<number> {
    let position = offset
    for await (const chunk of readAvailable(body, signal)) {
      this.write(upload, position, chunk)
      position += chunk.length
    }
    return position
  }

  async received({ uploadId }: StagedUpload, _expected?: number): Promise<number> {
    return this.bytes.get(uploadId)?.length ?? 0
  }

  read({ uploadId }: StagedUpload): Readable {
    return streamOf(this.bytes.get(uploadId))
  }

  async publish(upload: StagedUpload, { overwrite }: { overwrite: boolean }) {
    const { uploadId, destination, total = 0 } = upload
    const content = this.bytes.get(uploadId) ?? Buffer.alloc(0)
    if (content.length !== total) throw new Error(`There are ${content.length} of ${total} bytes.`)
    const there = this.files.get(destination)
    if (there && there.uploadId !== uploadId && !overwrite) {
      throw new BitsError('destination-taken', `${destination} is there already.`)
    }
    this.files.set(destination, { content, uploadId })
    return { destination, size: content.length }
  }

  async discard({ uploadId }: StagedUpload, { keepReply = false } = {}): Promise<void> {
    this.bytes.delete(uploadId)
    if (!keepReply) this.replies.delete(uploadId)
  }

  async *staged(): AsyncIterable<StagedData> {
    for (const uploadId of [...this.bytes.keys()]) yield { uploadId, lastModified: new Date() }
  }

  async writeReply({ uploadId }: StagedUpload, body: Readable): Promise<number> {
    const content = await contentOf(body)
    this.replies.set(uploadId, { content, lastModified: new Date() })
    return content.length
  }

  async statReply({ uploadId }: StagedUpload) {
    const reply = this.replies.get(uploadId)
    return reply && { size: reply.content.length, lastModified: reply.lastModified }
  }

  readReply({ uploadId }: StagedUpload, range?: { start: number; end: number }): Readable {
    const content = this.replies.get(uploadId)?.content
    return streamOf(range ? content?.subarray(range.start, range.end + 1) : content)
  }

  write({ uploadId }: StagedUpload, position: number, chunk: Buffer): void {
    if (this.full.has(uploadId)) throw new Error('The disk is full.')
    const before = this.bytes.get(uploadId) ?? Buffer.alloc(0)
    const after = resized(before, Math.max(before.length, position + chunk.length))
    chunk.copy(after, position)
    this.bytes.set(uploadId, after)
  }
}

/** Reuses the same memory if it is large enough. */
function resized(bytes: Buffer, length: number): Buffer {
  if (bytes.buffer.byteLength >= length) return Buffer.from(bytes.buffer, 0, length)
  const larger = Buffer.alloc(2 * length)
  bytes.copy(larger)
  return larger.subarray(0, length)
}

const streamOf = (content: Buffer | undefined): Readable =>
  content
    ? Readable.from([content], { objectMode: false })
    : new Readable({ read: () => {} }).destroy(new Error('There is nothing.'))

/** The part of a body that arrives, however it ends. */
export async function* readAvailable(body: Readable, signal: AbortSignal): AsyncGenerator<Buffer> {
  const stop = () => void body.destroy()
  if (signal.aborted) return
  signal.addEventListener('abort', stop)
  try {
    yield* body.iterator({ destroyOnReturn: false })
  } catch {
    // What has arrived is kept.
  } finally {
    signal.removeEventListener('abort', stop)
  }
}
