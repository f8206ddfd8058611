import { posix } from 'node:path'
import type { Readable } from 'node:stream'
import { BitsError } from 'express-bits-upload'
import { readCsv } from './read-csv.js'
import { readXml } from './read-xml.js'

/** A file that was received, whichever way. */
export interface ReceivedFile {
  /** With `/` between directories. */
  readonly name: string
  /** Bytes. */
  readonly size: number
  open(): Readable
}

/** Finds out what is in a file. Rejects with a `BitsError` if the file is malformed. */
type Read = (bytes: Readable, signal: AbortSignal) => Promise<object>

const READERS = new Map<string, Read>([
  ['.csv', readCsv],
  ['.xml', readXml],
])
/** Bytes of the largest file that is read. */
const MAX_SIZE = 16 * 1024 * 1024

const readerFor = ({ name, size }: Pick<ReceivedFile, 'name' | 'size'>): Read | undefined =>
  size <= MAX_SIZE ? READERS.get(posix.extname(name).toLowerCase()) : undefined

/** Whether a file gets a report. */
export const hasReport = (file: Pick<ReceivedFile, 'name' | 'size'>): boolean => readerFor(file) !== undefined

/**
 * Reports on a `.csv` or `.xml` file of up to 16 MiB in JSON; resolves with `undefined` for other files.
 *
 * @param timeout milliseconds; Windows waits five minutes for the answer to its last fragment.
 * @throws BitsError 400 for a malformed file: it is not published, and Windows does not retry by itself. 503
 * when the report took too long: it is tried again, as the server may have been busy.
 */
export async function reportOn(file: ReceivedFile, timeout = 30_000): Promise<string | undefined> {
  const { name, size } = file
  const read = readerFor(file)
  if (!read) return undefined
  const signal = AbortSignal.timeout(timeout)
  try {
    const facts = await read(file.open(), signal)
    return `${JSON.stringify({ file: name, bytes: size, ...facts }, null, 2)}\n`
  } catch (error) {
    if (!signal.aborted) throw error
    throw new BitsError({ status: 503, context: 0x7 }, 'It took too long to read.')
  }
}
