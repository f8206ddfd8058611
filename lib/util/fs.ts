import * as fs from 'node:fs'
import { promisify } from 'node:util'
import { errorCode } from './errors.js'
import { OPEN_FAILURES, RENAME_FAILURES, retryWhileBusy } from './retry-while-busy.js'

type Retry = typeof retryWhileBusy

/** Other systems allow changes to a file that another program has open. */
const patiently: Retry = process.platform === 'win32' ? retryWhileBusy : (call) => call

/**
 * The file system calls that each packet makes. The callback versions cost a third of the processor time of
 * `node:fs/promises` (Node 20: 4 instead of 13 µs on the main thread for each of open, write and close).
 */
export const open = patiently(promisify(fs.open), OPEN_FAILURES)
export const close = promisify(fs.close)
export const stat = promisify(fs.stat)
export const lstat = promisify(fs.lstat)
export const fstat = promisify(fs.fstat)
export const link: (existing: string, path: string) => Promise<void> = promisify(fs.link)
export const rename: (from: string, to: string) => Promise<void> = patiently(
  promisify(fs.rename),
  RENAME_FAILURES,
)
export const unlink: (path: string) => Promise<void> = patiently(promisify(fs.unlink), RENAME_FAILURES)
export const mkdir = promisify(fs.mkdir)
export const rmdir = promisify(fs.rmdir)
export const rm: (path: string, options: fs.RmOptions) => Promise<void> = promisify(fs.rm)
export const opendir = promisify(fs.opendir)
export const readdir: (path: string) => Promise<string[]> = promisify(fs.readdir)
export const readlink: (path: string) => Promise<string> = promisify(fs.readlink)
export const copyFile = promisify(fs.copyFile)
export const chmod = promisify(fs.chmod)
export const fchmod = promisify(fs.fchmod)
export const utimes = promisify(fs.utimes)
export const ftruncate = promisify(fs.ftruncate)
export const fsync = promisify(fs.fsync)
export const fdatasync = promisify(fs.fdatasync)
export const statfs: (path: string) => Promise<{ readonly type: number }> = promisify(fs.statfs)
export const writev = promisify(fs.writev)
export const readFile = promisify(fs.readFile)
export const write = promisify(fs.write)

/** Errors of the system's own `realpath` that are correct. */
const REALPATH_FAILURES = new Set(['ENOENT', 'ENOTDIR', 'ELOOP', 'EACCES', 'EPERM', 'ENAMETOOLONG', 'EIO'])

type ResolvePath = (path: string) => Promise<string>

/**
 * Resolves symbolic links. On RAM disks and some network drives of Windows the system call fails with EISDIR or
 * UNKNOWN for valid paths; Node's own implementation, which checks one directory after the other, works there.
 */
export const realpathWith =
  (native: ResolvePath, portable: ResolvePath): ResolvePath =>
  (path) =>
    native(path).catch((error: unknown) => {
      if (REALPATH_FAILURES.has(errorCode(error) ?? '')) throw error
      return portable(path)
    })

export const realpath = realpathWith(promisify(fs.realpath.native), promisify(fs.realpath))

/** The calls that a `FileStorage` and a `FileSessionStore` make; tests replace some of them. */
export const nodeFileSystem = {
  open,
  close,
  stat,
  lstat,
  fstat,
  link,
  rename,
  unlink,
  mkdir,
  rmdir,
  rm,
  opendir,
  readdir,
  readlink,
  copyFile,
  chmod,
  fchmod,
  utimes,
  ftruncate,
  fsync,
  fdatasync,
  statfs,
  writev,
  readFile,
  write,
  realpath,
}
export type FileSystem = typeof nodeFileSystem

/**
 * Writes a short text to a file, opened with `flags`.
 * @param sync flushes it to the disk (default: left to the system).
 * @returns bytes written. Rejects if not all could be written.
 */
export async function writeText(
  path: string,
  flags: string | number,
  text: string,
  sync?: Sync,
  calls: Pick<FileSystem, 'open' | 'close' | 'write'> = nodeFileSystem,
): Promise<number> {
  const bytes = Buffer.from(text)
  const file = await calls.open(path, flags, 0o600)
  try {
    await writeBytes(file, bytes, calls)
    await sync?.(file)
    return bytes.length
  } finally {
    await calls.close(file)
  }
}

interface WriteCall {
  write(
    file: number,
    bytes: Buffer,
    offset: number,
    length: number,
    position: null,
  ): Promise<{ readonly bytesWritten: number }>
}

/** Writes all bytes to an open file, at its current position. Rejects if not all could be written. */
export async function writeBytes(file: number, bytes: Buffer, calls: WriteCall): Promise<void> {
  for (let done = 0; done < bytes.length; ) {
    const { bytesWritten } = await calls.write(file, bytes, done, bytes.length - done, null)
    if (bytesWritten === 0) throw new Error(`Of ${bytes.length} bytes, only ${done} could be written.`)
    done += bytesWritten
  }
}

/** Flushes a file, given its descriptor, to disk. Tests replace it to see what is flushed, and when. */
export type Sync = (file: number) => Promise<void>

/** Error codes of systems that cannot sync a directory: network and virtual file systems, FUSE, WSL. */
const CANNOT_SYNC_DIRECTORIES = new Set([
  'EINVAL',
  'ENOTSUP',
  'EOPNOTSUPP',
  'ENOSYS',
  'EPERM',
  'EBADF',
  'EISDIR',
])

/** Flushes the entries of an open directory to disk, if the file system supports that. */
export async function syncOpenDirectory(directory: number, sync: Sync = fsync): Promise<void> {
  try {
    await sync(directory)
  } catch (error) {
    if (!CANNOT_SYNC_DIRECTORIES.has(errorCode(error) ?? '')) throw error
  }
}

/**
 * Flushes the entries of a directory to disk. Windows has no such call and needs none. A directory that this process
 * can write but not read cannot be opened for it.
 */
export async function syncDirectory(
  path: string,
  sync: Sync = fsync,
  calls: Pick<FileSystem, 'open' | 'close'> = nodeFileSystem,
): Promise<void> {
  if (process.platform === 'win32') return
  let directory: number
  try {
    directory = await calls.open(path, 'r')
  } catch (error) {
    if (errorCode(error) === 'EACCES' || errorCode(error) === 'EISDIR') return
    throw error
  }
  try {
    await syncOpenDirectory(directory, sync)
  } finally {
    await calls.close(directory)
  }
}
