import { createReadStream } from 'node:fs'
import type { Readable } from 'node:stream'
import type { ByteRange, StoredReply } from '../../../types/storage.js'
import { ignoreNotFound } from '../../util/errors.js'
import { type FileSystem, nodeFileSystem } from '../../util/fs.js'
import { remove } from './staged-file.js'

/** The temporary name of a reply while it is written; a crash may leave it behind. */
export const draftOf = (path: string): string => `${path}.tmp`

/**
 * Writes a reply under a temporary name and renames it, so that an incomplete reply is never found.
 *
 * @param sync flush it to disk.
 * @returns its size in bytes.
 */
export async function writeReplyFile(
  path: string,
  body: Readable,
  sync: boolean,
  fs: FileSystem = nodeFileSystem,
): Promise<number> {
  const draft = draftOf(path)
  const file = await fs.open(draft, 'w', 0o600)
  try {
    // Not with a stream on the descriptor: if it fails, it closes the descriptor, whose number another file may then
    // get.
    const size = await writeBody(file, body, fs)
    if (sync) await fs.fsync(file)
    await fs.rename(draft, path)
    return size
  } catch (error) {
    await remove(draft, fs).catch(() => {})
    throw error
  } finally {
    await fs.close(file)
  }
}

async function writeBody(file: number, body: Readable, fs: FileSystem): Promise<number> {
  let size = 0
  for await (const chunk of body) {
    const bytes = Buffer.from(chunk)
    for (let done = 0; done < bytes.length; ) {
      done += (await fs.write(file, bytes, done, bytes.length - done, null)).bytesWritten
    }
    size += bytes.length
  }
  return size
}

/** Size and date of a reply; `undefined` if there is none. */
export async function statReplyFile(path: string, fs: FileSystem): Promise<StoredReply | undefined> {
  const facts = await fs.stat(path).catch(ignoreNotFound)
  return facts && { size: facts.size, lastModified: facts.mtime }
}

export const readReplyFile = (path: string, range?: ByteRange): Readable =>
  createReadStream(path, range ?? {})
