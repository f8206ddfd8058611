import { constants, type FileHandle, open } from 'node:fs/promises'
import { BitsClientError } from '../../uploader/client-error.js'
import { sleep } from '../../uploader/sleep.js'
import { errorCode } from '../../util/errors.js'
import type { ReplySink } from './reply-sink.js'

/** Milliseconds before writing to a full pipe again. */
const PIPE_RETRY_DELAY = 20

/**
 * A pipe or a device, written as the reply arrives. It is opened at once and stays open: the reader of a pipe would
 * see the end of the data if it were closed.
 *
 * @throws BitsClientError when no process reads the pipe; and errors of the file system.
 */
export async function openStreamSink(path: string, signal: AbortSignal | undefined): Promise<ReplySink> {
  // Non-blocking: a signal could not interrupt a blocking open.
  const handle = await open(path, constants.O_WRONLY | constants.O_NONBLOCK).catch((cause: unknown) => {
    if (errorCode(cause) !== 'ENXIO') throw cause
    throw new BitsClientError(`The reply cannot be written: no process reads "${path}".`, {
      fatal: true,
      cause,
    })
  })
  let begun = false
  return {
    write: async (chunk) => {
      begun = true
      let left = chunk
      while (left.length > 0) left = left.subarray(await writeSome(handle, left, signal))
    },
    clear: async () => {
      if (!begun) return
      const message = `There is another reply, and a part of one was written to "${path}" already.`
      throw new BitsClientError(message, { fatal: true })
    },
    finish: async () => {
      await handle.close()
      return undefined
    },
    close: () => handle.close(),
  }
}

/** @returns the number of bytes written. */
async function writeSome(
  handle: FileHandle,
  bytes: Buffer,
  signal: AbortSignal | undefined,
): Promise<number> {
  try {
    return (await handle.write(bytes)).bytesWritten
  } catch (error) {
    if (errorCode(error) !== 'EAGAIN') throw error
    await sleep(PIPE_RETRY_DELAY, signal)
    return 0
  }
}
