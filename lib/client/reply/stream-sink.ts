import { constants, type FileHandle, open } from 'node:fs/promises'
import { BitsClientError } from '../../uploader/client-error.js'
import { sleep } from '../../uploader/sleep.js'
import { errorCode } from '../../util/errors.js'
import type { ReplySink } from './reply-sink.js'

/** Milliseconds until a full pipe is tried again. */
const PAUSE = 20

/**
 * A pipe or a device, written as the reply comes. It is opened at once and stays open: whoever reads a pipe would take
 * a second opening for the end.
 *
 * @throws BitsClientError when nobody reads the pipe; and what the file system throws.
 */
export async function openStreamSink(path: string, signal: AbortSignal | undefined): Promise<ReplySink> {
  // Without waiting, which no signal could end.
  const handle = await open(path, constants.O_WRONLY | constants.O_NONBLOCK).catch((cause: unknown) => {
    if (errorCode(cause) !== 'ENXIO') throw cause
    throw new BitsClientError(`The reply cannot be written: nobody reads "${path}".`, { fatal: true, cause })
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

/** @returns how many bytes. */
async function writeSome(
  handle: FileHandle,
  bytes: Buffer,
  signal: AbortSignal | undefined,
): Promise<number> {
  try {
    return (await handle.write(bytes)).bytesWritten
  } catch (error) {
    if (errorCode(error) !== 'EAGAIN') throw error
    await sleep(PAUSE, signal)
    return 0
  }
}
