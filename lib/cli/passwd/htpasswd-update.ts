import { randomBytes } from 'node:crypto'
import { chown, open, readFile, realpath, rename, rm, stat } from 'node:fs/promises'
import { basename, dirname, join, resolve } from 'node:path'
import { lock } from 'proper-lockfile'
import { asError, ignoreNotFound } from '../../util/errors.js'
import { CliError, EXIT } from '../output.js'

/** Mode of a new file: password hashes can be cracked offline. */
const NEW_MODE = 0o600

/** Attempts to lock the file while another run holds the lock: about ten seconds in total. */
const LOCK_RETRIES = { retries: 100, factor: 1, minTimeout: 50, maxTimeout: 150, randomize: true }

/**
 * Replaces the user's line, or appends one. The file is replaced atomically, so a server never reads half of it. It
 * keeps its mode, and its owner if this process may set it.
 *
 * @returns whether the user had a line.
 * @throws CliError when the file cannot be read or written.
 */
export async function setHash(path: string, user: string, line: string): Promise<boolean> {
  try {
    // A symbolic link stays; the file it points to is replaced.
    const target = (await realpath(path).catch(ignoreNotFound)) ?? resolve(path)
    // Two concurrent runs would each write back what they had read, and one line would be lost.
    const release = await lock(target, { realpath: false, retries: LOCK_RETRIES })
    try {
      const before = (await readFile(target, 'utf8').catch(ignoreNotFound)) ?? ''
      const { content, existed } = withLine(before, user, line)
      await replaceFile(target, content)
      return existed
    } finally {
      await release()
    }
  } catch (cause) {
    throw new CliError(EXIT.failure, `cannot write ${path}: ${asError(cause).message}.`, { cause })
  }
}

/** Everything else stays as it is, including comments and line endings. Duplicate lines of the user are removed. */
function withLine(before: string, user: string, line: string): { content: string; existed: boolean } {
  const end = before.includes('\r\n') ? '\r\n' : '\n'
  const lines = before === '' ? [] : before.replace(/\r?\n$/, '').split(/\r?\n/)
  const first = lines.findIndex((one) => one.startsWith(`${user}:`))
  const kept = lines.filter((one, index) => index === first || !one.startsWith(`${user}:`))
  if (first < 0) kept.push(line)
  else kept[first] = line
  return { content: kept.map((one) => one + end).join(''), existed: first >= 0 }
}

async function replaceFile(path: string, content: string): Promise<void> {
  const facts = await stat(path).catch(ignoreNotFound)
  const draft = join(dirname(path), `.${basename(path)}.${randomBytes(6).toString('hex')}`)
  const file = await open(draft, 'wx', NEW_MODE)
  try {
    try {
      if (facts) {
        const isOwned = await chown(draft, facts.uid, facts.gid).then(
          () => true,
          () => false,
        )
        // If the group could not be kept, its permission bits must not apply to another group.
        await file.chmod(isOwned ? facts.mode & 0o7777 : facts.mode & 0o7707)
      }
      await file.writeFile(content)
      await file.sync()
    } finally {
      await file.close()
    }
    await rename(draft, path)
  } catch (error) {
    await rm(draft, { force: true })
    throw error
  }
}
