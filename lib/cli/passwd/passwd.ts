import { text } from 'node:stream/consumers'
import { hash } from 'bcryptjs'
import { EXIT, usageError } from '../output.js'
import { canPrompt, promptPassword } from '../prompt-password.js'
import { printError } from '../say.js'
import { setHash } from './htpasswd-update.js'

/** Bcrypt's cost: a check takes about 70 ms. */
const COST = 10

/** Bytes of a password that bcrypt uses; it ignores the rest. */
const MAX_PASSWORD = 72

/** Bytes. Apache's htpasswd has the same limit. */
const MAX_NAME = 255

/**
 * Sets the password of a user, read from the terminal or the standard input.
 *
 * @returns the exit code.
 * @throws CliError when name or password cannot be used, or the file cannot be written.
 */
export async function passwd(file: string, user: string): Promise<number> {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what it looks for.
  if (user === '' || /[:\u0000-\u001f\u007f]/.test(user) || user.startsWith('#') || user.trim() !== user)
    throw usageError(
      'the name of a user has at least one character, no colon, no control character, no # in front and no space at its ends.',
    )
  if (Buffer.byteLength(user) > MAX_NAME)
    throw usageError(`the name of a user has at most ${MAX_NAME} bytes.`)
  const password = await readNewPassword(user)
  if (password === '') throw usageError('the password is empty: give one.')
  if (Buffer.byteLength(password) > MAX_PASSWORD)
    throw usageError(`the password has more than ${MAX_PASSWORD} bytes: bcrypt would ignore the rest.`)
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
    throw usageError('the two passwords differ: run the command again.')
  return password
}
