import { constants } from 'node:fs'
import { BitsError } from '../../protocol/bits-error.js'
import { directoryError } from '../../protocol/destination.js'
import { errorCode, ignoreNotFound } from '../../util/errors.js'
import type { FileSystem, Sync } from '../../util/fs.js'
import { KeyedQueue } from '../../util/keyed-queue.js'
import type { QuickCalls } from '../../util/quick-calls.js'
import { RENAME_FAILURES } from '../../util/retry-while-busy.js'
import { movedMarkerPath, readMovedMarker, writeMovedMarker } from './moved-marker.js'
import type { ParentDirectory } from './parent-directory.js'
import { remove } from './staged-file.js'

/** A staged file and its destination. */
export interface Publication {
  readonly fs: FileSystem
  readonly quick: QuickCalls
  readonly staged: string
  readonly parent: ParentDirectory
  /** Its name in `parent`. */
  readonly name: string
  /** A name in `parent` that no other upload uses, for an unfinished copy. */
  readonly copyName: string
  readonly destination: string
  /** Bytes. */
  readonly size: number
  readonly mode: number | undefined
  /** Flushes a file to disk; `undefined` if that is left to the system. */
  readonly sync: Sync | undefined
}

/**
 * Gives a staged file its name, unless the name is taken: the system's `link` does it in one step, so of two uploads
 * that race for a name exactly one wins. The staged name remains, so that a repetition after a crash recognizes its own
 * work: both names are one file. If `link` fails for any reason, the other ways are tried, which report their own
 * errors.
 *
 * @throws BitsError `destination-taken`, `destination-is-directory`.
 */
export async function publishNew(publication: Publication): Promise<void> {
  const { fs, quick, staged, parent, name } = publication
  const path = parent.pathOf(name)
  try {
    await quick.link(staged, path)
  } catch (error) {
    if (errorCode(error) === 'EEXIST' && (await isOneFile(staged, path, fs))) return
    await publishWithoutLink(publication, false)
  }
}

/**
 * Gives a staged file its name, replacing an existing file: readers see the old file or the new one, never neither. The
 * staged name stays, as with {@link publishNew}.
 *
 * @throws BitsError `destination-is-directory`.
 */
export async function publishOver(publication: Publication): Promise<void> {
  const { fs, staged, parent, name } = publication
  const second = tempLinkPath(staged)
  try {
    await replaceLink(staged, second, fs)
    await fs.rename(second, parent.pathOf(name))
  } catch {
    await publishWithoutLink(publication, true)
  } finally {
    // Renaming one name of a file to another of its names leaves both, and a failure leaves the first.
    await remove(second, fs).catch(() => {})
  }
}

/** Links, replacing what a crash may have left, which may be a different file. */
async function replaceLink(existing: string, path: string, fs: FileSystem): Promise<void> {
  try {
    await fs.link(existing, path)
  } catch (error) {
    if (errorCode(error) !== 'EEXIST') throw error
    await remove(path, fs)
    await fs.link(existing, path)
  }
}

/** The temporary name of a staged file that is about to replace another; a crash may leave it behind. */
export const tempLinkPath = (staged: string): string => `${staged}.new`

/** Moves and copies are queued by directory: file systems without links have no atomic "unless taken". */
const moves = new KeyedQueue()

function publishWithoutLink(publication: Publication, overwrite: boolean): Promise<void> {
  return moves.run(publication.parent.path, async () => {
    if (await wasCopied(publication)) return
    await refuseTaken(publication, overwrite)
    try {
      await move(publication)
    } catch (error) {
      await refuseTaken(publication, overwrite)
      if (errorCode(error) === 'ENOENT') throw error
      if (await isHeld(error, publication)) throw heldError(error, publication)
      await copy(publication, overwrite)
    }
  })
}

/** Windows does not replace a file that another program has open: a copy would fail, too. */
async function isHeld(error: unknown, { fs, parent, name }: Publication): Promise<boolean> {
  if (process.platform !== 'win32' || !RENAME_FAILURES.has(errorCode(error) ?? '')) return false
  return (await fs.lstat(parent.pathOf(name)).catch(ignoreNotFound)) !== undefined
}

const heldError = (cause: unknown, { parent, name }: Publication): Error =>
  new Error(
    `"${parent.pathOf(name)}" cannot be replaced (${errorCode(cause)}): another program has it open, or it is read-only.`,
    { cause },
  )

async function refuseTaken(
  { fs, parent, name, destination }: Publication,
  overwrite: boolean,
): Promise<void> {
  const facts = await fs.lstat(parent.pathOf(name)).catch(ignoreNotFound)
  if (facts?.isDirectory()) throw directoryError(destination)
  if (facts && !overwrite) {
    throw new BitsError(
      'destination-taken',
      `Something appeared at "${destination}" while the upload was in progress.`,
    )
  }
}

async function move({ fs, staged, parent, name, size, sync }: Publication): Promise<void> {
  await writeMovedMarker(staged, { size, isCopy: false }, fs, sync)
  try {
    await fs.rename(staged, parent.pathOf(name))
  } catch (error) {
    await remove(movedMarkerPath(staged), fs)
    throw error
  }
}

/** For a destination to which the staged file can be neither linked nor moved, such as one behind a bind mount. */
async function copy(publication: Publication, overwrite: boolean): Promise<void> {
  const { fs, staged, parent, copyName, size, sync } = publication
  const temporary = parent.pathOf(copyName)
  await remove(temporary, fs)
  try {
    await fs.copyFile(staged, temporary, constants.COPYFILE_EXCL | constants.COPYFILE_FICLONE)
    await finishCopy(temporary, publication)
    await writeMovedMarker(staged, { size, isCopy: true }, fs, sync)
    await nameCopy(temporary, publication, overwrite)
  } catch (error) {
    await remove(movedMarkerPath(staged), fs)
    await remove(temporary, fs)
    throw error
  }
  await endCopy(publication)
}

async function finishCopy(temporary: string, { fs, mode, sync }: Publication): Promise<void> {
  const file = await fs.open(temporary, 'r+')
  try {
    if (mode !== undefined) await fs.fchmod(file, mode).catch(() => {})
    await sync?.(file)
  } finally {
    await fs.close(file)
  }
}

async function nameCopy(temporary: string, publication: Publication, overwrite: boolean): Promise<void> {
  const { fs, parent, name } = publication
  const path = parent.pathOf(name)
  if (!overwrite) {
    const linked = await fs.link(temporary, path).then(
      () => true,
      () => false,
    )
    if (linked) return
    await refuseTaken(publication, false)
  }
  await fs.rename(temporary, path)
}

/** Removes what is left of a copy that has its name; staged data that cannot be removed may stay. */
async function endCopy({ fs, staged, parent, copyName }: Publication): Promise<void> {
  await remove(parent.pathOf(copyName), fs)
  await remove(staged, fs).catch(() => {})
}

/** Tells whether a copy got its name from a process that died before it could record that. */
async function wasCopied(publication: Publication): Promise<boolean> {
  const { fs, staged, parent, name, copyName } = publication
  if (!(await readMovedMarker(staged, fs))?.isCopy) return false
  const temporary = parent.pathOf(copyName)
  const isWaiting = (await fs.lstat(temporary).catch(ignoreNotFound)) !== undefined
  if (isWaiting && !(await isOneFile(temporary, parent.pathOf(name), fs))) return false
  await endCopy(publication)
  return true
}

/** Tells whether both names exist and are names of one file. */
export async function isOneFile(one: string, other: string, fs: FileSystem): Promise<boolean> {
  const [mine, there] = await Promise.all(
    [one, other].map((path) => fs.lstat(path, { bigint: true }).catch(ignoreNotFound)),
  )
  return mine !== undefined && there !== undefined && mine.ino === there.ino && mine.dev === there.dev
}
