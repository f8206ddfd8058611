import { posix } from 'node:path'
import type { Readable } from 'node:stream'
import { BitsError, type CompletedUpload } from 'express-bits-upload'
import { readCsv } from './read-csv.js'
import { readXml } from './read-xml.js'
import { refuseFile } from './refusal.js'

/** The answer of the server application to an upload. */
export interface Answer {
  readonly upload: CompletedUpload
  readonly refused: boolean
  /** The reply; or why the upload was refused. */
  readonly text: string
}

/** Reads a report from a file. Rejects with a `BitsError` if the file is malformed. */
type Read = (bytes: Readable, signal: AbortSignal) => Promise<object>

const READERS = new Map<string, Read>([
  ['.csv', readCsv],
  ['.xml', readXml],
])
/** Bytes. */
const MAX_SIZE = 16 * 1024 * 1024

/**
 * For the option `onUpload`: answers each `.csv` and `.xml` with a report in JSON, and says nothing of other files. What
 * it cannot read it refuses: that is not published, and Windows does not try it again by itself.
 *
 * @param tell receives each answer.
 * @param timeout milliseconds for a report; Windows waits five minutes for the answer to its last fragment.
 */
export function serverApplication(tell: (answer: Answer) => void, timeout = 30_000) {
  return async (upload: CompletedUpload): Promise<string | undefined> => {
    const read = READERS.get(posix.extname(upload.destination).toLowerCase())
    if (!read) return undefined
    try {
      const text = await reportOn(upload, read, AbortSignal.timeout(timeout))
      tell({ upload, refused: false, text })
      return text
    } catch (error) {
      if (error instanceof BitsError) tell({ upload, refused: true, text: error.message })
      throw error
    }
  }
}

async function reportOn(upload: CompletedUpload, read: Read, signal: AbortSignal): Promise<string> {
  const { destination, size } = upload
  if (size > MAX_SIZE)
    throw refuseFile(`Only files of up to ${MAX_SIZE.toLocaleString('en')} bytes are read.`)
  try {
    const facts = await read(upload.read(), signal)
    return `${JSON.stringify({ file: destination, bytes: size, ...facts }, null, 2)}\n`
  } catch (error) {
    if (!signal.aborted) throw error
    // A 503 is tried again: perhaps there was much to do.
    throw new BitsError({ status: 503, context: 0x7 }, 'It took too long to read.')
  }
}
