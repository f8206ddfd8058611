import type { Awaitable } from '../../types/awaitable.js'
import type { FileSystem } from '../util/fs.js'
import { directoryIdentity } from './directory-identity.js'
import type { SessionFolder } from './session-folder.js'
import type { OpenedSessions, SessionOpener } from './session-opener.js'
import type { StoredSessions } from './stored-sessions.js'

/** Milliseconds between two checks that the path still leads to the folder that was opened. */
const PLACE_CHECK_INTERVAL = 1_000

/**
 * The open sessions of the folder that a path leads to. They are opened again when another folder has taken its place,
 * such as that of a volume that is mounted over it.
 */
export class CurrentSessions {
  readonly #folder: SessionFolder
  readonly #opener: SessionOpener
  readonly #fs: FileSystem
  #opened: OpenedSessions | undefined
  #checkedAt = 0
  #reopening: Promise<StoredSessions> | undefined

  constructor(folder: SessionFolder, opener: SessionOpener, fs: FileSystem) {
    this.#folder = folder
    this.#opener = opener
    this.#fs = fs
  }

  async open(): Promise<void> {
    const opened = await this.#opener.open(this.#opened)
    const before = this.#opened
    this.#opened = opened
    this.#checkedAt = performance.now()
    await before?.release()
  }

  async close(): Promise<void> {
    await this.#reopening?.catch(() => {})
    const opened = this.#opened
    this.#opened = undefined
    await opened?.release()
  }

  get(): Awaitable<StoredSessions> {
    const isDue = performance.now() - this.#checkedAt >= PLACE_CHECK_INTERVAL
    return isDue && this.#openedNow.place !== undefined ? this.#checkPlace() : this.#openedNow.sessions
  }

  /** Runs an operation, and once more when it failed because the folder was not where it had been. */
  async run<T>(operation: (sessions: StoredSessions) => Awaitable<T>): Promise<T> {
    const sessions = await this.get()
    try {
      return await operation(sessions)
    } catch (error) {
      if (this.#openedNow.place === undefined) throw error
      const current = await this.#checkPlace()
      if (current === sessions) throw error
      return operation(current)
    }
  }

  #checkPlace(): Promise<StoredSessions> {
    this.#reopening ??= this.#reopenIfMoved().finally(() => {
      this.#reopening = undefined
    })
    return this.#reopening
  }

  async #reopenIfMoved(): Promise<StoredSessions> {
    if ((await directoryIdentity(this.#folder.path, this.#fs)) !== this.#openedNow.place) await this.open()
    this.#checkedAt = performance.now()
    return this.#openedNow.sessions
  }

  get #openedNow(): OpenedSessions {
    if (!this.#opened)
      throw new Error('This FileSessionStore is not open: await open() before its other methods.')
    return this.#opened
  }
}
