import { errorCode, ignoreNotFound } from '../../util/errors.js'
import type { FileCalls, QuickCalls } from '../../util/quick-calls.js'
import type { WritableFile } from './gather-write.js'

/**
 * Opens staged data to add to it at `offset`.
 *
 * @param cutOff truncate it to `offset`: more was written, but the disk failed to store it.
 * @returns its file descriptor.
 * @throws Error when the data has a second name: it may be a published file by now, to which nothing may be added.
 */
export async function openStaged(
  path: string,
  offset: number,
  cutOff: boolean,
  { fs, quick }: FileCalls,
): Promise<number> {
  // A virus scanner that reads files before they are opened has nothing to read if there are no bytes yet.
  const file = await openOrCreate(path, offset, offset === 0 && !cutOff ? quick : fs)
  try {
    const { nlink } = await quick.fstat(file)
    if (nlink > 1) {
      throw new Error(
        `"${path}" has ${nlink} names (hard links), so it may be a published file: nothing is added to it. ` +
          'If a backup or deduplication program made the other name, remove that one.',
      )
    }
    if (cutOff) await fs.ftruncate(file, offset)
    return file
  } catch (error) {
    await quick.close(file)
    throw error
  }
}

async function openOrCreate(path: string, offset: number, calls: Pick<QuickCalls, 'open'>): Promise<number> {
  try {
    return await calls.open(path, 'r+')
  } catch (error) {
    // Another program removed the data: only an upload that starts over does not need it.
    if (offset === 0 && errorCode(error) === 'ENOENT') return calls.open(path, 'wx', 0o600)
    throw error
  }
}

export const writable = (file: number, { fs, quick }: FileCalls): WritableFile => ({
  writev: (chunks, position, isSmall) => (isSmall ? quick : fs).writev(file, chunks, position),
  write: (bytes, offset, length, position) => fs.write(file, bytes, offset, length, position),
})

/** @returns whether it existed. */
export const remove = (path: string, fs: Pick<QuickCalls, 'unlink'>): Promise<boolean> =>
  fs.unlink(path).then(
    () => true,
    (error: unknown) => ignoreNotFound(error) ?? false,
  )
