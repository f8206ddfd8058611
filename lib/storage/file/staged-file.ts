import { errorCode, ignoreNotFound } from '../../util/errors.js'
import { open, unlink, write, writev } from '../../util/fs.js'
import type { WritableFile } from './gather-write.js'

/** Opens staged data to add to it at `offset`. @returns its file descriptor. */
export async function openStaged(path: string, offset: number): Promise<number> {
  try {
    return await open(path, 'r+')
  } catch (error) {
    // Somebody removed it: only an upload that starts over can do without what was there.
    if (offset === 0 && errorCode(error) === 'ENOENT') return open(path, 'wx')
    throw error
  }
}

export const writable = (file: number): WritableFile => ({
  writev: (chunks, position) => writev(file, chunks, position),
  write: (bytes, offset, length, position) => write(file, bytes, offset, length, position),
})

/** @returns whether it was there. */
export const remove = (path: string): Promise<boolean> =>
  unlink(path).then(
    () => true,
    (error: unknown) => ignoreNotFound(error) ?? false,
  )
