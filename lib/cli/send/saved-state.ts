import { createHash } from 'node:crypto'
import { mkdirSync, readFileSync, realpathSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import envPaths from 'env-paths'
import type { UploadState } from 'express-bits-upload/client'
import { asError } from '../../util/errors.js'

/** Where an upload stands, in the user's own cache directory: the same file and URL find it again. */
export class SavedState {
  readonly #path: string
  readonly #warn: (message: string) => void
  #failed = false

  /**
   * @param url of the destination; user, password and query do not matter.
   * @param warn told once when the state cannot be kept, which is no reason not to send.
   */
  constructor(file: string, url: URL, warn: (message: string) => void) {
    const { cache } = envPaths('express-bits-upload', { suffix: '' })
    const name = createHash('sha256')
      .update(`${nameOf(file)}\n${url.origin}${url.pathname}`)
      .digest('hex')
    this.#path = join(cache, `${name}.json`)
    this.#warn = warn
  }

  /** `undefined` when there is none, or none that can be read. */
  read(): UploadState | undefined {
    try {
      const state: unknown = JSON.parse(readFileSync(this.#path, 'utf8'))
      return isState(state) ? state : undefined
    } catch {
      return undefined
    }
  }

  /** Whole or not at all, and for the user's own eyes: who knows a session's id can go on with it. */
  write(state: UploadState): void {
    if (this.#failed) return
    try {
      mkdirSync(dirname(this.#path), { recursive: true, mode: 0o700 })
      const draft = `${this.#path}.${process.pid}`
      writeFileSync(draft, JSON.stringify(state), { mode: 0o600 })
      renameSync(draft, this.#path)
    } catch (error) {
      this.#failed = true
      const why = asError(error).message
      this.#warn(`An interruption will mean to begin anew: ${why}.`)
    }
  }

  remove(): void {
    rmSync(this.#path, { force: true })
  }
}

function nameOf(file: string): string {
  try {
    return realpathSync(file)
  } catch {
    // Whoever opens it will say what is wrong.
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
