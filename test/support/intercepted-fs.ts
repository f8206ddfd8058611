import { Dir } from 'node:fs'
import { type FileSystem, nodeFileSystem } from '../../lib/util/fs.js'

/** A call that a `FileStorage` is about to make. */
export interface FileSystemCall {
  readonly name: keyof FileSystem
  readonly args: readonly unknown[]
  /** Index of the call, counted from 0. */
  readonly index: number
}

/** An error like those of the system. */
export const systemError = (code: string, syscall = ''): NodeJS.ErrnoException =>
  Object.assign(new Error(`${code}: injected, ${syscall}`), { code, syscall })

/** The file system, with a hook before each call. If `before` throws, the call fails and does nothing. */
export function interceptedFileSystem(
  before: (call: FileSystemCall) => void | Promise<void>,
): Partial<FileSystem> {
  let count = 0
  const intercepted: Partial<FileSystem> = {}
  for (const name of namesOf(nodeFileSystem)) {
    const call = nodeFileSystem[name]
    Reflect.set(intercepted, name, async (...args: unknown[]) => {
      await before({ name, args, index: count++ })
      const result: unknown = await Reflect.apply(call, undefined, args)
      if (result instanceof Dir)
        interceptEntries(result, () => before({ name: 'readdir', args, index: count++ }))
      return result
    })
  }
  return intercepted
}

const namesOf = (fs: FileSystem): (keyof FileSystem)[] =>
  Object.keys(fs).filter((name): name is keyof FileSystem => name in fs)

/** A directory is read entry by entry, and each read may fail. */
function interceptEntries(directory: Dir, before: () => void | Promise<void>): void {
  Object.defineProperty(directory, Symbol.asyncIterator, {
    value: async function* () {
      try {
        for (;;) {
          await before()
          const entry = await directory.read()
          if (entry === null) return
          yield entry
        }
      } finally {
        await directory.close()
      }
    },
  })
}
