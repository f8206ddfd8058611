import { text } from 'node:stream/consumers'
import { usageError } from '../output.js'
import { canPrompt, promptPassword } from '../prompt-password.js'
import { readTextFile } from '../read-text-file.js'

/** The password of a user: from a file, the environment, or a prompt at the terminal. */
export async function readPassword(user: string, file: string | undefined): Promise<string> {
  if (file !== undefined) {
    const content = file === '-' ? await text(process.stdin) : await readTextFile('--password-file', file)
    return content.split(/\r?\n/)[0] ?? ''
  }
  const known = process.env.BITS_PASSWORD
  if (known !== undefined) return known
  if (canPrompt()) return promptPassword(`Password of ${user}: `)
  throw usageError(
    '--user: there is no terminal to prompt for the password: set BITS_PASSWORD or use --password-file.',
  )
}
