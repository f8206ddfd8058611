import { posix } from 'node:path'
import type { Readable } from 'node:stream'
import { BitsError } from 'express-bits-upload'
import { readCsv } from './read-csv.js'
import { readXml } from './read-xml.js'

/** A received file, whether from BITS or from the form. */
export interface ReceivedFile {
  /** With `/` between directories. */
  readonly name: string
  /** Bytes. */
  readonly size: number
  open(): Readable
}

/** Reads a file and describes its content. Rejects with a `BitsError` if the file is malformed. */
type Read = (bytes: Readable, signal: AbortSignal) => Promise<object>

const READERS = new Map<string, Read>([
  ['.csv', readCsv],
  ['.xml', readXml],
])
/** Maximum size of a file that is read, in bytes. */
const MAX_SIZE = 16 * 1024 * 1024

const readerFor = ({ name, size }: Pick<ReceivedFile, 'name' | 'size'>): Read | undefined =>
  size <= MAX_SIZE ? READERS.get(posix.extname(name).toLowerCase()) : undefined

/** Whether a file gets a report. */
export const hasReport = (file: Pick<ReceivedFile, 'name' | 'size'>): boolean => readerFor(file) !== undefined

/**
 * Describes a `.csv` or `.xml` file of up to 16 MiB as JSON. Resolves with `undefined` for other files.
 *
 * @param timeout milliseconds; Windows waits five minutes for the answer to its last fragment.
 * @throws BitsError 400 for a malformed file: it is not published, and Windows does not retry. 503 when the report took
 * too long: Windows retries, as the server may have been busy.
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
