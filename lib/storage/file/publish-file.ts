import { rename, rm, writeFile } from 'node:fs/promises'
import { dirname } from 'node:path'
import { BitsError } from '../../protocol/bits-error.js'
import { directoryError } from '../../protocol/destination.js'
import { errorCode, ignoreNotFound } from '../../util/errors.js'
import { link, lstat } from '../../util/fs.js'

/** Makes a second name for a file; replaced in tests to stand for file systems that cannot. */
export type Link = (existing: string, path: string) => Promise<void>

const NO_LINKS = new Set(['EPERM', 'ENOTSUP', 'EOPNOTSUPP', 'ENOSYS', 'EMLINK'])

/**
 * Gives a staged file its name, unless the name is taken: the system's `link` does it in one step, so of two uploads
 * that race for a name exactly one wins. The staged name stays, which is how a repetition after a crash knows its own
 * work: both names are one file.
 *
 * @throws BitsError `destination-taken`, `destination-is-directory`.
 */
export async function publishNew(
  staged: string,
  path: string,
  destination: string,
  makeLink: Link = link,
): Promise<void> {
  try {
    await makeLink(staged, path)
  } catch (error) {
    if (isUnsupported(error)) return moveIfFree(staged, path, destination)
    if (errorCode(error) !== 'EEXIST') throw error
    if (await isOneFile(staged, path)) return
    const facts = await lstat(path).catch(ignoreNotFound)
    throw facts?.isDirectory() ? directoryError(destination) : takenError(destination)
  }
}

/**
 * Gives a staged file its name, in place of what may be there: readers see the old file or the new one, never neither.
 * The staged name stays, as with {@link publishNew}.
 *
 * @throws BitsError `destination-is-directory`.
 */
export async function publishOver(
  staged: string,
  path: string,
  destination: string,
  makeLink: Link = link,
): Promise<void> {
  const second = tempLinkPath(staged)
  try {
    await linkAnew(staged, second, makeLink)
  } catch (error) {
    if (isUnsupported(error)) return markAndMove(staged, path, destination)
    throw error
  }
  try {
    await moveOver(second, path, destination)
  } finally {
    // Renaming one name of a file to another of its names leaves both; and a failure leaves the first.
    await rm(second, { force: true })
  }
}

/** Links, in place of what a crash may have left, which need not be the same file. */
async function linkAnew(existing: string, path: string, makeLink: Link): Promise<void> {
  try {
    await makeLink(existing, path)
  } catch (error) {
    if (errorCode(error) !== 'EEXIST') throw error
    await rm(path, { force: true })
    await makeLink(existing, path)
  }
}

/** The name a staged file has for the moment before it replaces another; a crash may leave it behind. */
export const tempLinkPath = (staged: string): string => `${staged}.new`

/**
 * Where links are unsupported a staged file is moved, which leaves nothing to know one's own work by after a crash. So
 * this name says beforehand what happens: there, while the staged file is not, it means that the file was moved.
 */
export const movedMarkerPath = (staged: string): string => `${staged}.moved`

async function markAndMove(staged: string, path: string, destination: string): Promise<void> {
  await writeFile(movedMarkerPath(staged), '')
  await moveOver(staged, path, destination)
}

async function moveOver(from: string, path: string, destination: string): Promise<void> {
  try {
    await rename(from, path)
  } catch (error) {
    const facts = await lstat(path).catch(() => undefined)
    throw facts?.isDirectory() ? directoryError(destination) : error
  }
}

/** Moves waiting for their turn, by directory: file systems without links have no single step for "unless taken". */
const moves = new Map<string, Promise<void>>()

function moveIfFree(staged: string, path: string, destination: string): Promise<void> {
  const directory = dirname(path)
  const before = moves.get(directory) ?? Promise.resolve()
  const move = before.then(async () => {
    const facts = await lstat(path).catch(() => undefined)
    if (facts?.isDirectory()) throw directoryError(destination)
    if (facts) throw takenError(destination)
    await markAndMove(staged, path, destination)
  })
  const settled = move.catch(() => {})
  moves.set(directory, settled)
  void settled.then(() => {
    if (moves.get(directory) === settled) moves.delete(directory)
  })
  return move
}

/** Are both names there, and names of one file? */
export async function isOneFile(one: string, other: string): Promise<boolean> {
  const [mine, there] = await Promise.all(
    [one, other].map((path) => lstat(path, { bigint: true }).catch(ignoreNotFound)),
  )
  return mine !== undefined && there !== undefined && mine.ino === there.ino && mine.dev === there.dev
}

const takenError = (destination: string): BitsError =>
  new BitsError(
    'destination-taken',
    `Something appeared at "${destination}" while the upload was on its way.`,
  )

const isUnsupported = (error: unknown): boolean => NO_LINKS.has(errorCode(error) ?? '')
