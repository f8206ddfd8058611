import { constants } from 'node:fs'
import { type FileCalls, SMALL_FILE } from '../../util/quick-calls.js'

/**
 * Makes a published file known to programs that watch its directory with inotify. They often wait for a file to be
 * closed after writing, which a link is not. Opening it for writing and closing it again is. A virus scanner may read it
 * before that.
 *
 * @param size bytes of the file.
 */
export async function announceFile(path: string, size: number, { fs, quick }: FileCalls): Promise<void> {
  if (process.platform !== 'linux') return
  const flags = constants.O_WRONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK
  const file = await fs.open(path, flags).catch(() => undefined)
  const calls = size <= SMALL_FILE ? quick : fs
  if (file !== undefined) await calls.close(file).catch(() => {})
}
