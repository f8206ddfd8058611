import { once } from 'node:events'
import { createWriteStream, type WriteStream } from 'node:fs'
import { asError } from '../../util/errors.js'
import { CliError, EXIT } from '../output.js'
import { printError } from '../say.js'

/** Milliseconds after a failure before writing is tried again. */
const RETRY_DELAY = 10_000

/** Receives the lines of the access log. */
export interface Log {
  write(line: string): void
  close(): Promise<void>
}

/**
 * Opens the access log: standard output for `-`, otherwise a file, which is appended to.
 *
 * @param header the first line, written each time it is opened.
 * @throws CliError when it cannot be opened.
 */
export async function openLog(path: string, header: () => string): Promise<Log> {
  if (path === '-') {
    const { stdout } = process
    stdout.write(header())
    return { write: (line) => void (stdout.writable && stdout.write(line)), close: async () => {} }
  }
  const log = new LogFile(path, header)
  await log.open()
  return log
}

/**
 * A log file. A log that cannot be written does not stop uploads: an error is printed, and some seconds later the file
 * is tried again. SIGHUP reopens the file, for tools that rename it (logrotate).
 */
class LogFile implements Log {
  readonly #path: string
  readonly #header: () => string
  #stream: WriteStream
  #failedAt = 0
  #hasStarted = false
  readonly #reopen = () => {
    this.#stream.end()
    this.#stream = this.#start()
  }

  constructor(path: string, header: () => string) {
    this.#path = path
    this.#header = header
    this.#stream = this.#start()
  }

  /** @throws CliError */
  async open(): Promise<void> {
    try {
      await once(this.#stream, 'open')
    } catch (cause) {
      throw new CliError(EXIT.failure, `--access-log: ${asError(cause).message}.`, { cause })
    }
    this.#hasStarted = true
    process.on('SIGHUP', this.#reopen)
  }

  write(line: string): void {
    if (!this.#stream.writable && Date.now() - this.#failedAt >= RETRY_DELAY) this.#stream = this.#start()
    if (this.#stream.writable) this.#stream.write(line)
  }

  async close(): Promise<void> {
    process.off('SIGHUP', this.#reopen)
    this.#stream.end()
    if (!this.#stream.closed) await once(this.#stream, 'close')
  }

  #start(): WriteStream {
    const stream = createWriteStream(this.#path, { flags: 'a', mode: 0o640 })
    stream.on('error', (error) => {
      this.#failedAt = Date.now()
      if (this.#hasStarted) printError(`error: cannot write the access log: ${error.message}`)
    })
    const header = this.#header()
    if (header !== '') stream.write(header)
    return stream
  }
}
