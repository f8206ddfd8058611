import { createHmac, randomBytes } from 'node:crypto'
import { readFile, stat } from 'node:fs/promises'
import { asError } from '../../util/errors.js'
import { CliError, EXIT } from '../output.js'
import { isPasswordHash, isPasswordOf } from './password-hash.js'

/** Verdicts that are remembered: bcrypt is slow by design, and every fragment brings the password again. */
const MAX_REMEMBERED = 1000

/** Of a password nobody has: a name that does not exist takes as long as one that does. */
const NOBODY = '$2b$05$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW'

/** Names and passwords as Apache's `htpasswd` writes them. The file is read again when it has changed. */
export class HtpasswdFile {
  readonly #path: string
  #mark = ''
  #hashes = new Map<string, string>()
  /** Of name and password that were right, keyed with what nobody else knows. */
  readonly #right = new Set<string>()
  readonly #key = randomBytes(32)

  private constructor(path: string) {
    this.#path = path
  }

  /** @throws Failure when it cannot be read, or holds what is no htpasswd. */
  static async open(path: string): Promise<HtpasswdFile> {
    const file = new HtpasswdFile(path)
    await file.#refresh()
    return file
  }

  /** @throws Failure when the file has changed and cannot be read any more: then nobody can be let in. */
  async isRight(name: string, password: string): Promise<boolean> {
    await this.#refresh()
    const hash = this.#hashes.get(name)
    const mark = createHmac('sha256', this.#key)
      .update(JSON.stringify([name, password, hash]))
      .digest('base64')
    if (this.#right.has(mark)) return true
    const fits = await isPasswordOf(hash ?? this.#example(), password)
    if (hash === undefined || !fits) return false
    if (this.#right.size >= MAX_REMEMBERED) this.#right.clear()
    this.#right.add(mark)
    return true
  }

  /** A hash of the kind that this file has, most likely. */
  #example(): string {
    const [first] = this.#hashes.values()
    return first ?? NOBODY
  }

  async #refresh(): Promise<void> {
    try {
      const { mtimeMs, size, ino } = await stat(this.#path)
      const mark = `${mtimeMs} ${size} ${ino}`
      if (mark === this.#mark) return
      this.#hashes = parse(await readFile(this.#path, 'utf8'))
      this.#right.clear()
      this.#mark = mark
    } catch (error) {
      this.#mark = ''
      const message = asError(error).message
      const exitCode = error instanceof CliError ? error.exitCode : EXIT.failure
      throw new CliError(exitCode, `--htpasswd ${this.#path}: ${message}`, { cause: error })
    }
  }
}

/** The lines' contents stay out of messages. */
function parse(text: string): Map<string, string> {
  const hashes = new Map<string, string>()
  for (const [index, line] of text.split(/\r?\n/).entries()) {
    if (line.trim() === '' || line.startsWith('#')) continue
    const [name = '', hash = ''] = line.trim().split(':')
    if (name === '' || !isPasswordHash(hash)) {
      const what = `line ${index + 1} is no name with a bcrypt, apr1, SHA-1 or crypt hash`
      throw new CliError(EXIT.usage, `${what}; "htpasswd -B" writes such.`)
    }
    // Of two lines for a name, Apache takes the first.
    if (!hashes.has(name)) hashes.set(name, hash)
  }
  return hashes
}
