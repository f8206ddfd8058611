import { stat } from 'node:fs/promises'
import type { Server } from 'node:https'
import { asError } from '../../../util/errors.js'
import type { TlsSettings } from './tls-options.js'

/** Milliseconds between two checks of the files. */
const RELOAD_INTERVAL = 10_000

export interface ReloadOptions {
  readonly files: readonly string[]
  /** Reads the files. @throws Error that explains what is wrong with them. */
  readonly read: () => Promise<TlsSettings>
  readonly log: (line: string) => void
  /** Milliseconds; default 10 s. */
  readonly interval?: number
}

/**
 * Gives a server the new certificate when its files change, as certificates are renewed every few weeks. Polls the
 * files instead of watching them: tools replace links to them, and not all file systems report changes. Existing
 * connections keep the old certificate, and so do new ones if the new files are invalid.
 */
export class CertificateReload {
  readonly #server: Pick<Server, 'setSecureContext'>
  readonly #options: ReloadOptions
  readonly #timer: NodeJS.Timeout
  #seen: string | undefined
  #running: Promise<void> | undefined

  constructor(server: Pick<Server, 'setSecureContext'>, options: ReloadOptions) {
    this.#server = server
    this.#options = options
    this.#running = this.#look(false)
    this.#timer = setInterval(() => this.#start(false), options.interval ?? RELOAD_INTERVAL)
    this.#timer.unref()
  }

  /** Reads the files again, changed or not: for SIGHUP. */
  readonly now = (): void => this.#start(true)

  close(): void {
    clearInterval(this.#timer)
  }

  #start(always: boolean): void {
    this.#running = (this.#running ?? Promise.resolve()).then(() => this.#look(always))
  }

  async #look(always: boolean): Promise<void> {
    const versions = await Promise.all(this.#options.files.map(fileVersion))
    const version = versions.join('\n')
    const isFirst = this.#seen === undefined
    const hasChanged = !isFirst && version !== this.#seen
    this.#seen = version
    if (hasChanged || always) await this.#reload()
  }

  async #reload(): Promise<void> {
    const { read, log } = this.#options
    try {
      const { options, warnings } = await read()
      this.#server.setSecureContext(options)
      for (const warning of warnings) log(`warning: ${warning}`)
      log('The TLS certificate was reloaded; new connections use it.')
    } catch (error) {
      log(`warning: the new TLS files cannot be used; the old ones stay in use: ${asError(error).message}`)
    }
  }
}

async function fileVersion(path: string): Promise<string> {
  try {
    const { mtimeMs, size, ino } = await stat(path)
    return `${mtimeMs} ${size} ${ino}`
  } catch {
    return 'missing'
  }
}
