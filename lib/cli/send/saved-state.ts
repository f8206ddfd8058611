import { createHash } from 'node:crypto'
import { mkdirSync, readFileSync, realpathSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import envPaths from 'env-paths'
import type { UploadState } from 'express-bits-upload/client'
import { asError } from '../../util/errors.js'

/** The saved state of an upload, in the user's cache directory, by file and URL. */
export class SavedState {
  readonly #path: string
  readonly #file: string
  readonly #warn: (message: string) => void
  #failed = false

  /**
   * @param url destination; user, password and query are ignored.
   * @param warn called once if the state cannot be saved; the file is sent anyway.
   */
  constructor(file: string, url: URL, warn: (message: string) => void) {
    const { cache } = envPaths('express-bits-upload', { suffix: '' })
    const name = createHash('sha256')
      .update(`${realPathOf(file)}\n${url.origin}${url.pathname}`)
      .digest('hex')
    this.#path = join(cache, `${name}.json`)
    this.#file = file
    this.#warn = warn
  }

  /** `undefined` when there is none, or it cannot be read. */
  read(): UploadState | undefined {
    const state = this.#load()
    return isState(state) ? state : undefined
  }

  write(state: UploadState): void {
    this.#save(state)
  }

  /** Records that the file was sent, in its present version. */
  markSent(): void {
    const facts = statSync(this.#file, { throwIfNoEntry: false })
    if (facts) this.#save({ sent: true, size: facts.size, modified: facts.mtimeMs })
  }

  /** Tells whether the present version of the file has been sent, by a command for several files. */
  wasSent(): boolean {
    const note = this.#load()
    const facts = statSync(this.#file, { throwIfNoEntry: false })
    if (typeof note !== 'object' || note === null || !facts) return false
    const is = (name: string, value: unknown): boolean => Reflect.get(note, name) === value
    return is('sent', true) && is('size', facts.size) && is('modified', facts.mtimeMs)
  }

  #load(): unknown {
    try {
      return JSON.parse(readFileSync(this.#path, 'utf8'))
    } catch {
      return undefined
    }
  }

  /** Written atomically, and readable only by the user: the session id is all it takes to continue the upload. */
  #save(state: object): void {
    if (this.#failed) return
    try {
      mkdirSync(dirname(this.#path), { recursive: true, mode: 0o700 })
      const draft = `${this.#path}.${process.pid}`
      writeFileSync(draft, JSON.stringify(state), { mode: 0o600 })
      renameSync(draft, this.#path)
    } catch (error) {
      this.#failed = true
      const why = asError(error).message
      this.#warn(`After an interruption the upload will start over: ${why}.`)
    }
  }

  remove(): void {
    rmSync(this.#path, { force: true })
  }
}

function realPathOf(file: string): string {
  try {
    return realpathSync(file)
  } catch {
    // Opening it will report the problem.
    return file
  }
}

function isState(value: unknown): value is UploadState {
  if (typeof value !== 'object' || value === null) return false
  const is = (name: string, type: string, needed: boolean): boolean => {
    const field: unknown = Reflect.get(value, name)
    return typeof field === type || (!needed && field === undefined)
  }
  return (
    is('sessionId', 'string', true) &&
    ['offset', 'size', 'modified'].every((name) => is(name, 'number', true)) &&
    is('hostId', 'string', false) &&
    is('hostIdFallbackTimeout', 'number', false) &&
    is('replyUrl', 'string', false)
  )
}
