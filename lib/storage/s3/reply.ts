import type { Readable } from 'node:stream'
import type { CompletedPart } from '@aws-sdk/client-s3'
import type { BufferBudget } from './buffer-budget.js'
import type { S3Context } from './context.js'
import { withMultipart } from './noted-multipart.js'
import { PartReader } from './part-reader.js'

/** Maximum bytes of a reply that is written with one request, and the size of the first parts of a larger one. */
const PART_SIZE = 8 * 1024 * 1024
/** Parts after which the next ones are twice as large: the size of a reply is not known before its end. */
const DOUBLE_AFTER = 1000

/**
 * Stores a reply, replacing an earlier one; an empty one only removes that.
 *
 * @returns its size in bytes. Rejects if `body` fails; the earlier reply then still exists.
 */
export async function writeReply(context: S3Context, uploadId: string, body: Readable): Promise<number> {
  const { bucket, keys, budget } = context
  const key = keys.reply(uploadId)
  const reader = new PartReader(body, budget.pool)
  try {
    const first = await readPart(budget, reader, PART_SIZE)
    if (!reader.isOver) return await writeParts(context, uploadId, first, reader)
    try {
      await (first.bytes.length > 0 ? bucket.put(key, first.bytes) : bucket.delete(key))
      return first.bytes.length
    } finally {
      first.release()
    }
  } finally {
    body.destroy()
  }
}

async function writeParts(
  context: S3Context,
  uploadId: string,
  first: HeldPart,
  reader: PartReader,
): Promise<number> {
  const { multipart, keys, budget } = context
  let part: HeldPart | undefined = first
  try {
    return await withMultipart(context, uploadId, keys.reply(uploadId), {}, async (upload) => {
      const completed: CompletedPart[] = []
      let size = 0
      while (part && part.bytes.length > 0) {
        completed.push(await multipart.uploadPart(upload, completed.length + 1, part.bytes))
        size += part.bytes.length
        part.release()
        part = undefined
        if (!reader.isOver) part = await readPart(budget, reader, partSizeAt(context, completed.length))
      }
      await multipart.complete(upload, completed, { size })
      return size
    })
  } finally {
    part?.release()
  }
}

/** A part in memory. */
interface HeldPart {
  readonly bytes: Buffer
  release(): void
}

async function readPart(budget: BufferBudget, reader: PartReader, size: number): Promise<HeldPart> {
  const taken = await budget.take(size)
  try {
    const { bytes } = await reader.read(size)
    return { bytes, release: () => budget.give(taken) }
  } catch (error) {
    budget.give(taken)
    throw error
  }
}

/** If the service requires parts of equal size, a reply can have 80 GB; otherwise, as much as an object can. */
const partSizeAt = ({ assemble }: S3Context, index: number): number =>
  assemble === 'stream' ? PART_SIZE : PART_SIZE * 2 ** Math.floor(index / DOUBLE_AFTER)
