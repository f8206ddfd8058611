import { createReadStream } from 'node:fs'
import { open, rm, stat, writeFile } from 'node:fs/promises'
import type { Readable } from 'node:stream'
import type { ByteRange, StoredReply } from '../../../types/storage.js'
import { ignoreNotFound } from '../../util/errors.js'
import { rename } from '../../util/fs.js'

/** The temporary name of a reply while it is written; a crash may leave it behind. */
export const draftOf = (path: string): string => `${path}.tmp`

/**
 * Writes a reply beside its final name and renames it, so that half a reply is never found.
 *
 * @param sync force it to the disk.
 * @returns its size in bytes.
 */
export async function writeReplyFile(path: string, body: Readable, sync: boolean): Promise<number> {
  const draft = draftOf(path)
  const file = await open(draft, 'w')
  try {
    // No stream of the file's descriptor: one that fails closes it, and then the number may be another file's.
    await writeFile(file, body)
    if (sync) await file.sync()
    const { size } = await file.stat()
    await rename(draft, path)
    return size
  } catch (error) {
    await rm(draft, { force: true })
    throw error
  } finally {
    await file.close()
  }
}

/** A reply's facts; `undefined` when there is none. */
export async function statReplyFile(path: string): Promise<StoredReply | undefined> {
  const facts = await stat(path).catch(ignoreNotFound)
  return facts && { size: facts.size, lastModified: facts.mtime }
}

export const readReplyFile = (path: string, range?: ByteRange): Readable =>
  createReadStream(path, range ?? {})
