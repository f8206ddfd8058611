import { text } from 'node:stream/consumers'
import { hash } from 'bcryptjs'
import { EXIT, usageError } from '../output.js'
import { canPrompt, promptPassword } from '../prompt-password.js'
import { printError } from '../say.js'
import { setHash } from './htpasswd-update.js'

/** Bcrypt's cost: a check takes about 70 ms. */
const COST = 10

/** Maximum bytes of a password: bcrypt ignores the rest. */
const MAX_BCRYPT_PASSWORD = 72

/** Maximum bytes of a user name, as in Apache's htpasswd. */
const MAX_USER_NAME = 255

/**
 * Sets a user's password, which it reads from the terminal or from standard input.
 *
 * @returns the exit code.
 * @throws CliError when the name or the password is invalid, or the file cannot be written.
 */
export async function passwd(file: string, user: string): Promise<number> {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: it looks for control characters.
  if (user === '' || /[:\u0000-\u001f\u007f]/.test(user) || user.startsWith('#') || user.trim() !== user)
    throw usageError(
      'a user name needs at least one character, and must not contain a colon or a control character, start with #, or start or end with a space.',
    )
  if (Buffer.byteLength(user) > MAX_USER_NAME)
    throw usageError(`a user name may have at most ${MAX_USER_NAME} bytes.`)
  const password = await readNewPassword(user)
  if (password === '') throw usageError('the password must not be empty.')
  if (Buffer.byteLength(password) > MAX_BCRYPT_PASSWORD)
    throw usageError(`the password has more than ${MAX_BCRYPT_PASSWORD} bytes: bcrypt would ignore the rest.`)
  // Apache knows this version of the algorithm as 2y.
  const line = `${user}:${(await hash(password, COST)).replace(/^\$2[ab]\$/, '$2y$')}`
  const existed = await setHash(file, user, line)
  printError(existed ? `Changed the password of ${user}.` : `Added ${user}.`)
  return EXIT.done
}

async function readNewPassword(user: string): Promise<string> {
  if (!canPrompt()) return (await text(process.stdin)).replace(/^\uFEFF/, '').split(/\r?\n/)[0] ?? ''
  const password = await promptPassword(`New password of ${user}: `)
  if ((await promptPassword('Repeat it: ')) !== password)
    throw usageError('the passwords do not match: run the command again.')
  return password
}
