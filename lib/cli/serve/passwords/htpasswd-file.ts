import { readFile, stat } from 'node:fs/promises'
import { asError } from '../../../util/errors.js'
import { CliError, EXIT } from '../../output.js'
import { isPasswordHash } from './password-hash.js'

/** A hash that matches no password, for files without users. */
const NO_PASSWORD = '$2b$10$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW'

export interface HashEntry {
  readonly hash: string
  /** False for a name that is not in the file. The hash is then another user's, so that checking takes equally long. */
  readonly isKnown: boolean
}

/** Names and hashes as Apache's `htpasswd` writes them. The file is read again when it has changed. */
export class HtpasswdFile {
  readonly #path: string
  #version = ''
  #hashes = new Map<string, string>()

  private constructor(path: string) {
    this.#path = path
  }

  /** @throws CliError when it cannot be read, or is not an htpasswd file. */
  static async open(path: string): Promise<HtpasswdFile> {
    const file = new HtpasswdFile(path)
    await file.#refresh()
    return file
  }

  /** @throws CliError when the file has changed and can no longer be read: then no user can be admitted. */
  async hashOf(name: string): Promise<HashEntry> {
    await this.#refresh()
    const hash = this.#hashes.get(name)
    if (hash !== undefined) return { hash, isKnown: true }
    const [first = NO_PASSWORD] = this.#hashes.values()
    return { hash: first, isKnown: false }
  }

  async #refresh(): Promise<void> {
    try {
      const { mtimeMs, size, ino } = await stat(this.#path)
      const version = `${mtimeMs} ${size} ${ino}`
      if (version === this.#version) return
      this.#hashes = parseHtpasswd(await readFile(this.#path, 'utf8'))
      this.#version = version
    } catch (error) {
      this.#version = ''
      const message = asError(error).message
      const exitCode = error instanceof CliError ? error.exitCode : EXIT.failure
      throw new CliError(exitCode, `--htpasswd ${this.#path}: ${message}`, { cause: error })
    }
  }
}

/** Messages do not show the contents of a line. */
function parseHtpasswd(text: string): Map<string, string> {
  const hashes = new Map<string, string>()
  for (const [index, line] of text.split(/\r?\n/).entries()) {
    if (line.trim() === '' || line.startsWith('#')) continue
    const [name = '', hash = ''] = line.trim().split(':')
    if (name === '' || !isPasswordHash(hash)) {
      throw new CliError(
        EXIT.usage,
        `line ${index + 1} is not a name with a bcrypt, apr1, SHA-1 or crypt hash. ` +
          'Write it with "express-bits-upload passwd" or "htpasswd -B".',
      )
    }
    // Of two lines for a name, Apache takes the first.
    if (!hashes.has(name)) hashes.set(name, hash)
  }
  return hashes
}
