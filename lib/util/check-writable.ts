import { join } from 'node:path'
import { ignoreNotFound } from './errors.js'
import type { FileSystem } from './fs.js'

/** The block size of most file systems. */
const BLOCK = Buffer.alloc(4096)

/**
 * Verifies that files can be created, written and removed in a directory, for readiness checks: fails if the disk is
 * full, read-only or no longer mounted.
 *
 * @param user distinguishes the files of different users of the same directory.
 */
export async function checkWritable(directory: string, user: string, fs: FileSystem): Promise<void> {
  const path = join(directory, `.check-${user}-${process.pid}`)
  const file = await fs.open(path, 'w', 0o600)
  try {
    const { bytesWritten } = await fs.write(file, BLOCK)
    if (bytesWritten < BLOCK.length) throw new Error(`The disk of "${directory}" is full.`)
  } finally {
    await fs.close(file)
    await fs.unlink(path).catch(ignoreNotFound)
  }
}
