import { finished, type Readable } from 'node:stream'
import { ChunkRelease } from '../../util/release-chunks.js'

/** The methods of a file that are used; a `FileHandle` has them. */
export interface WritableFile {
  /** @param isSmall the bytes are an entire body of at most 64 KiB. */
  writev(chunks: Buffer[], position: number, isSmall: boolean): Promise<{ bytesWritten: number }>
  write(bytes: Buffer, offset: number, length: number, position: number): Promise<{ bytesWritten: number }>
}

/** Bytes that one request may hold, in the write in flight and waiting for it, before the sender has to wait. */
const MAX_HELD = 1024 * 1024
/** The same for all requests of the process together: memory that is reused soon stays in the cache of the processor. */
const MAX_HELD_TOTAL = 2 * 1024 * 1024
/** Bytes that each request may always hold: what Node reads at once. */
const MIN_HELD = 64 * 1024
/** Chunks in one write: some systems take no more than 1,024 at once. */
const MAX_CHUNKS = 512

let running = 0

/** Bytes that one request may hold: fewer if there are many. A quarter of them justifies a trip to the thread pool. */
const limit = (): number => Math.max(MIN_HELD, Math.min(MAX_HELD, MAX_HELD_TOTAL / running))

/**
 * Writes a stream to a file from `start` on. One write is in flight at a time; what arrives in the meantime is gathered
 * into the next, so that a large body needs few, large writes, and never more than about 1 MiB of memory. If many
 * bodies arrive at once, each holds less, down to the single chunk that is being written.
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
    let writingBytes = 0
    let position = start
    let over = signal.aborted
    const memory = new ChunkRelease(body)
    running++

    const take = (chunk: Buffer) => {
      waiting.push(chunk)
      waitingBytes += chunk.length
      if (waitingBytes + writingBytes >= limit()) body.pause()
      if (writingBytes === 0 && isWorthWriting()) void write()
    }

    const isWorthWriting = () => waitingBytes >= limit() / 4 || waiting.length >= MAX_CHUNKS

    const write = async () => {
      const chunks = waiting
      waiting = []
      writingBytes = waitingBytes
      waitingBytes = 0
      try {
        const isSmall = over && position === start && writingBytes <= MIN_HELD
        await writeAll(file, chunks, position, isSmall)
        memory.release(chunks)
      } catch (error) {
        settle(() => reject(error))
        return
      }
      position += writingBytes
      writingBytes = 0
      proceed()
    }

    const proceed = () => {
      if (writingBytes > 0) return
      if (over ? waitingBytes > 0 : isWorthWriting()) void write()
      else if (over) settle(() => resolve(position))
      if (!over && waitingBytes + writingBytes < limit()) body.resume()
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

async function writeAll(
  file: WritableFile,
  chunks: Buffer[],
  position: number,
  isSmall: boolean,
): Promise<void> {
  let { bytesWritten } = await file.writev(chunks, position, isSmall)
  const total = chunks.reduce((sum, chunk) => sum + chunk.length, 0)
  if (bytesWritten === total) return
  // A short write: the disk is almost full, or a limit was reached. Continue until the system reports which.
  const rest = Buffer.concat(chunks)
  while (bytesWritten < total) {
    const more = await file.write(rest, bytesWritten, total - bytesWritten, position + bytesWritten)
    bytesWritten += more.bytesWritten
  }
}
