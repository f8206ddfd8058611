import type { Readable } from 'node:stream'
import type { CompletedPart } from '@aws-sdk/client-s3'
import type { S3Context } from './context.js'
import { beginMultipart, endMultipart } from './noted-multipart.js'
import { PartReader } from './part-reader.js'
import type { Block } from './slab.js'

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
  const { bucket, keys } = context
  const key = keys.reply(uploadId)
  const reader = new PartReader(body)
  try {
    const first = await readPart(context, reader, PART_SIZE)
    if (!reader.isOver) return await writeParts(context, uploadId, first, reader)
    const size = first.bytes.length
    await storePart(context, first, (bytes) => (size > 0 ? bucket.put(key, bytes) : bucket.delete(key)))
    return size
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
    const noted = await beginMultipart(context, uploadId, keys.reply(uploadId), {})
    return await endMultipart(context, noted, async (upload) => {
      const completed: CompletedPart[] = []
      let size = 0
      while (part && part.bytes.length > 0) {
        const held: HeldPart = part
        part = undefined
        size += held.bytes.length
        const number = completed.length + 1
        completed.push(await storePart(context, held, (bytes) => multipart.uploadPart(upload, number, bytes)))
        if (!reader.isOver) part = await readPart(context, reader, partSizeAt(context, completed.length))
      }
      await multipart.complete(upload, completed, { size })
      return size
    })
  } finally {
    if (part) budget.give(part.block)
  }
}

/** A part in memory. */
interface HeldPart {
  readonly bytes: Buffer
  readonly block: Block
}

async function readPart({ budget }: S3Context, reader: PartReader, size: number): Promise<HeldPart> {
  const block = await budget.take(size)
  try {
    const length = await reader.read(block.memory.subarray(0, size))
    return { bytes: block.memory.subarray(0, length), block }
  } catch (error) {
    budget.give(block)
    throw error
  }
}

/** Writes a part, and releases its memory. */
async function storePart<Result>(
  { budget }: S3Context,
  { bytes, block }: HeldPart,
  write: (bytes: Buffer) => Promise<Result>,
): Promise<Result> {
  let result: Result
  try {
    result = await write(bytes)
  } catch (error) {
    budget.abandon(block)
    throw error
  }
  budget.give(block)
  return result
}

/** If the service requires parts of equal size, a reply can have 80 GB; otherwise, as much as an object can. */
const partSizeAt = ({ assemble }: S3Context, index: number): number =>
  assemble === 'stream' ? PART_SIZE : PART_SIZE * 2 ** Math.floor(index / DOUBLE_AFTER)
