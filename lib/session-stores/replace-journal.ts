import { constants } from 'node:fs'
import { type FileSystem, writeBytes } from '../util/fs.js'

/**
 * Appending, so that lines of other processes are not overwritten, and their presence shows in the size of the file.
 */
export const OPEN_JOURNAL = constants.O_WRONLY | constants.O_APPEND | constants.O_CREAT
/** Characters that are written at once. */
const CHUNK = 256 * 1024

/** The name of a new journal until it is complete; a crash may leave it behind. */
export const temporaryJournal = (path: string): string => `${path}.new`

/**
 * Writes lines to a new file, which replaces the journal at `path`.
 *
 * @returns the descriptor and length of the new file. Rejects, and leaves the old journal, if it cannot be written.
 */
export async function replaceJournal(
  path: string,
  lines: Iterable<string>,
  fs: FileSystem,
): Promise<{ readonly descriptor: number; readonly length: number }> {
  const temporary = temporaryJournal(path)
  const descriptor = await fs.open(temporary, OPEN_JOURNAL | constants.O_TRUNC, 0o600)
  let length = 0
  try {
    for (const chunk of joinLines(lines)) {
      const bytes = Buffer.from(chunk)
      await writeBytes(descriptor, bytes, fs)
      length += bytes.length
    }
    // Otherwise a power failure could leave an empty file under the name of the old one.
    await fs.fsync(descriptor)
    await fs.rename(temporary, path)
    return { descriptor, length }
  } catch (error) {
    await fs.close(descriptor).catch(() => {})
    await fs.unlink(temporary).catch(() => {})
    throw error
  }
}

function* joinLines(lines: Iterable<string>): Iterable<string> {
  let chunk = ''
  for (const line of lines) {
    chunk += line
    if (chunk.length < CHUNK) continue
    yield chunk
    chunk = ''
  }
  if (chunk !== '') yield chunk
}
