import * as fs from 'node:fs'
import { ignoreNotFound } from './errors.js'
import { type FileSystem, nodeFileSystem } from './fs.js'
import type { MainThreadBudget } from './main-thread-budget.js'

/** Calls on names and descriptors that take microseconds on a local disk, whatever the size of the file. */
export interface QuickCalls {
  open(path: string, flags: string | number, mode?: number): Promise<number>
  close(file: number): Promise<void>
  stat(path: string): Promise<fs.Stats>
  /** `undefined` if there is nothing: an error costs more than the call. */
  lstat(path: string): Promise<fs.Stats | undefined>
  fstat(file: number): Promise<fs.Stats>
  link(existing: string, path: string): Promise<void>
  /** To a name that does not exist yet: replacing a file makes some file systems write the new one at once. */
  rename(from: string, to: string): Promise<void>
  /** One of several names of a file: the last one frees its space, which takes long if the file is large. */
  unlink(path: string): Promise<void>
  chmod(path: string, mode: number): Promise<void>
  readlink(path: string): Promise<string>
  realpath(path: string): Promise<string>
  /** A few hundred bytes. */
  write(
    file: number,
    bytes: Buffer,
    offset: number,
    length: number,
    position: number | null,
  ): Promise<{ bytesWritten: number }>
  /** At most 64 KiB. */
  writev(file: number, chunks: Buffer[], position: number): Promise<{ bytesWritten: number }>
}

/**
 * The same calls, made synchronously while the budget lasts: a trip to the thread pool takes longer than they do.
 * Only for paths on a local file system. Another one may keep the thread waiting for a server that does not respond.
 *
 * @param calls used otherwise, and for those that are not Node's own, as in tests.
 */
export function quickCalls(calls: FileSystem, budget: MainThreadBudget): QuickCalls {
  const quick = <Args extends unknown[], Result>(
    name: keyof QuickCalls,
    pooled: (...args: Args) => Promise<Result>,
    synchronous: (...args: Args) => Result,
  ): ((...args: Args) => Promise<Result>) => {
    if (calls[name] !== nodeFileSystem[name]) return pooled
    // An async function, so that an error rejects.
    return async (...args) => (budget.isLeft ? budget.run(() => synchronous(...args)) : pooled(...args))
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
    ),
    writev: quick(
      'writev',
      (file: number, chunks: Buffer[], position: number) => calls.writev(file, chunks, position),
      (file, chunks, position) => ({
        bytesWritten: fs.writevSync(file, chunks, position),
        buffers: chunks,
      }),
    ),
  }
}
