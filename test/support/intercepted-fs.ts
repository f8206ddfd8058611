import { type FileSystem, nodeFileSystem } from '../../lib/util/fs.js'

/** A call that a `FileStorage` is about to make. */
export interface FileSystemCall {
  readonly name: keyof FileSystem
  readonly args: readonly unknown[]
  /** Which call it is, counted from 0. */
  readonly index: number
}

/** An error as the system reports it. */
export const systemError = (code: string, syscall = ''): NodeJS.ErrnoException =>
  Object.assign(new Error(`${code}: injected, ${syscall}`), { code, syscall })

/**
 * The file system, with something to do before each call. What `before` throws fails the call, which then does nothing.
 */
export function interceptedFileSystem(
  before: (call: FileSystemCall) => void | Promise<void>,
): Partial<FileSystem> {
  let count = 0
  const intercepted: Partial<FileSystem> = {}
  for (const name of namesOf(nodeFileSystem)) {
    const call = nodeFileSystem[name]
    Reflect.set(intercepted, name, async (...args: unknown[]) => {
      await before({ name, args, index: count++ })
      return Reflect.apply(call, undefined, args)
    })
  }
  return intercepted
}

const namesOf = (fs: FileSystem): (keyof FileSystem)[] =>
  Object.keys(fs).filter((name): name is keyof FileSystem => name in fs)
