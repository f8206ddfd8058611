import { finished, type Readable } from 'node:stream'

/** The methods of a file that are used; a `FileHandle` has them. */
export interface WritableFile {
  writev(chunks: Buffer[], position: number): Promise<{ bytesWritten: number }>
  write(bytes: Buffer, offset: number, length: number, position: number): Promise<{ bytesWritten: number }>
}

/** Bytes that may wait for a write in flight before the sender has to wait. */
const MAX_BUFFERED = 512 * 1024
/** The same for all requests of the process together: V8 is slow to release memory that was in use for long. */
const MAX_BUFFERED_TOTAL = 2 * 1024 * 1024
/** Bytes that may always wait in each request: what Node reads at once. */
const MIN_BUFFERED = 64 * 1024
/** Chunks in one write: some systems take no more than 1,024 at once. */
const MAX_CHUNKS = 512

let running = 0

/** Bytes that may wait in one request: fewer if there are many. Half of them justify a trip to the thread pool. */
const plenty = (): number => Math.max(MIN_BUFFERED, Math.min(MAX_BUFFERED, MAX_BUFFERED_TOTAL / running))

/**
 * Writes a stream to a file from `start` on. One write is in flight at a time; what arrives in the meantime is gathered
 * into the next, so that a large body needs few, large writes, and never more than about 1 MiB of memory; less if many
 * bodies arrive at once.
 *
 * @returns the position after the last byte, when the stream ends, fails, is destroyed, or `signal` aborts: all that
 * had arrived is in the file. Rejects if a write fails; the stream is then left paused.
 */
export function gatherWrite(
  file: WritableFile,
  start: number,
  body: Readable,
  signal: AbortSignal,
): Promise<number> {
  return new Promise((resolve, reject) => {
    let waiting: Buffer[] = []
    let waitingBytes = 0
    let position = start
    let writing = false
    let over = signal.aborted
    running++

    const take = (chunk: Buffer) => {
      waiting.push(chunk)
      waitingBytes += chunk.length
      if (waitingBytes >= plenty()) body.pause()
      if (waitingBytes >= plenty() / 2 || waiting.length >= MAX_CHUNKS) proceed()
    }

    const proceed = () => {
      if (writing) return
      if (waitingBytes > 0) return void write()
      if (over) settle(() => resolve(position))
    }

    const write = async () => {
      const chunks = waiting
      const bytes = waitingBytes
      waiting = []
      waitingBytes = 0
      writing = true
      // There is space again: the next bytes arrive while these are written.
      if (!over) body.resume()
      try {
        await writeAll(file, chunks, position)
        position += bytes
        writing = false
        if (over || body.isPaused() || waitingBytes >= plenty() / 2) proceed()
      } catch (error) {
        settle(() => reject(error))
      }
    }

    const end = () => {
      over = true
      body.off('data', take)
      proceed()
    }

    const settle = (outcome: () => void) => {
      running--
      body.off('data', take)
      body.pause()
      signal.removeEventListener('abort', end)
      stopWatching()
      outcome()
    }

    const stopWatching = finished(body, { writable: false }, end)
    signal.addEventListener('abort', end, { once: true })
    if (over) return end()
    body.on('data', take)
    // A middleware may have paused the request during an asynchronous check.
    body.resume()
  })
}

async function writeAll(file: WritableFile, chunks: Buffer[], position: number): Promise<void> {
  let { bytesWritten } = await file.writev(chunks, position)
  const total = chunks.reduce((sum, chunk) => sum + chunk.length, 0)
  if (bytesWritten === total) return
  // A short write: the disk is almost full, or a limit was reached. Continue until the system reports which.
  const rest = Buffer.concat(chunks)
  while (bytesWritten < total) {
    const more = await file.write(rest, bytesWritten, total - bytesWritten, position + bytesWritten)
    bytesWritten += more.bytesWritten
  }
}
