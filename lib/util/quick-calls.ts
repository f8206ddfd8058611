import * as fs from 'node:fs'
import { ignoreNotFound } from './errors.js'
import { type FileSystem, nodeFileSystem } from './fs.js'
import { type MainThreadBudget, mainThreadBudget } from './main-thread-budget.js'

/** Bytes of a file that can be written, closed and removed quickly, even if that frees its space. */
export const SMALL_FILE = 64 * 1024

/** Calls that take microseconds on a local disk. */
export interface QuickCalls {
  /** A directory, or a file without content: a virus scanner may read others before they are opened. */
  open(path: string, flags: string | number, mode?: number): Promise<number>
  /** A directory or a small file. */
  close(file: number): Promise<void>
  stat(path: string): Promise<fs.Stats>
  /** `undefined` if there is nothing: an error costs more than the call. */
  lstat(path: string): Promise<fs.Stats | undefined>
  fstat(file: number): Promise<fs.Stats>
  link(existing: string, path: string): Promise<void>
  /** To a name that does not exist yet: replacing a file makes some file systems write the new one at once. */
  rename(from: string, to: string): Promise<void>
  /** A small file. */
  unlink(path: string): Promise<void>
  chmod(path: string, mode: number): Promise<void>
  readlink(path: string): Promise<string>
  realpath(path: string): Promise<string>
  /** On the main thread if it is at most 64 KiB. */
  write(
    file: number,
    bytes: Buffer,
    offset: number,
    length: number,
    position: number | null,
  ): Promise<{ bytesWritten: number }>
  /** On the main thread if they are at most 64 KiB. */
  writev(file: number, chunks: Buffer[], position: number): Promise<{ bytesWritten: number }>
}

/** The calls of a directory: through the thread pool, and quick ones. */
export interface FileCalls {
  readonly fs: FileSystem
  readonly quick: QuickCalls
}

interface QuickCallsOptions {
  /** Default: that of the thread. Tests replace it. */
  readonly budget?: MainThreadBudget
  /** Whether all paths are on a local file system. Another one may wait for a server that does not respond. */
  readonly isLocal: () => boolean
}

/**
 * The same calls, made synchronously while the budget lasts: a trip to the thread pool takes longer than they do.
 *
 * @param calls used otherwise, and for those that are not Node's own, as in tests.
 */
export function quickCalls(
  calls: FileSystem,
  { budget = mainThreadBudget, isLocal }: QuickCallsOptions,
): QuickCalls {
  const quick = <Args extends unknown[], Result>(
    name: keyof QuickCalls,
    pooled: (...args: Args) => Promise<Result>,
    synchronous: (...args: Args) => Result,
    isQuick: (...args: Args) => boolean = () => true,
  ): ((...args: Args) => Promise<Result>) => {
    if (calls[name] !== nodeFileSystem[name]) return pooled
    // An async function, so that an error rejects.
    return async (...args) =>
      isLocal() && budget.isLeft && isQuick(...args)
        ? budget.run(() => synchronous(...args))
        : pooled(...args)
  }
  return {
    open: quick('open', calls.open, fs.openSync),
    close: quick('close', calls.close, fs.closeSync),
    stat: quick(
      'stat',
      (path: string) => calls.stat(path),
      (path) => fs.statSync(path),
    ),
    lstat: quick(
      'lstat',
      (path: string) => calls.lstat(path).catch(ignoreNotFound),
      (path) => fs.lstatSync(path, { throwIfNoEntry: false }),
    ),
    fstat: quick(
      'fstat',
      (file: number) => calls.fstat(file),
      (file) => fs.fstatSync(file),
    ),
    link: quick('link', calls.link, fs.linkSync),
    rename: quick('rename', calls.rename, fs.renameSync),
    unlink: quick('unlink', calls.unlink, fs.unlinkSync),
    chmod: quick('chmod', calls.chmod, fs.chmodSync),
    readlink: quick('readlink', calls.readlink, (path: string) => fs.readlinkSync(path)),
    realpath: quick('realpath', calls.realpath, (path) => fs.realpathSync.native(path)),
    write: quick(
      'write',
      (file: number, bytes: Buffer, offset: number, length: number, position: number | null) =>
        calls.write(file, bytes, offset, length, position),
      (file, bytes, offset, length, position) => ({
        bytesWritten: fs.writeSync(file, bytes, offset, length, position),
        buffer: bytes,
      }),
      (_file, _bytes, _offset, length) => length <= SMALL_FILE,
    ),
    writev: quick(
      'writev',
      (file: number, chunks: Buffer[], position: number) => calls.writev(file, chunks, position),
      (file, chunks, position) => ({
        bytesWritten: fs.writevSync(file, chunks, position),
        buffers: chunks,
      }),
      (_file, chunks) => chunks.reduce((sum, { length }) => sum + length, 0) <= SMALL_FILE,
    ),
  }
}
