import { type FileHandle, open, rename, rm } from 'node:fs/promises'

/** Where a reply goes. */
export interface ReplySink {
  write(chunk: Buffer, position: number): Promise<void>
  /** What was written is void. */
  clear(): Promise<void>
  /** @returns the reply, if it was kept in memory. */
  finish(): Promise<Buffer | undefined>
  /** Gives up what is not finished; may be called twice. */
  close(): Promise<void>
}

export function memorySink(): ReplySink {
  let chunks: Buffer[] = []
  return {
    write: async (chunk) => {
      chunks.push(chunk)
    },
    clear: async () => {
      chunks = []
    },
    finish: async () => Buffer.concat(chunks),
    close: async () => {},
  }
}

/** A file that appears under its name only when it is whole. */
export function fileSink(path: string): ReplySink {
  const part = `${path}.part`
  let handle: FileHandle | undefined
  const opened = async (): Promise<FileHandle> => {
    handle ??= await open(part, 'w')
    return handle
  }
  const closeHandle = async (): Promise<void> => {
    const closing = handle
    handle = undefined
    await closing?.close()
  }
  return {
    write: async (chunk, position) => {
      const file = await opened()
      let written = 0
      while (written < chunk.length) {
        const rest = chunk.length - written
        written += (await file.write(chunk, written, rest, position + written)).bytesWritten
      }
    },
    clear: async () => {
      await (await opened()).truncate(0)
    },
    finish: async () => {
      await (await opened()).sync()
      await closeHandle()
      await rename(part, path)
      return undefined
    },
    close: async () => {
      if (!handle) return
      await closeHandle()
      await rm(part, { force: true })
    },
  }
}
