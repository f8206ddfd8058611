import { once } from 'node:events'
import { createInterface, type Interface } from 'node:readline/promises'
import { Writable } from 'node:stream'
import { text } from 'node:stream/consumers'
import { usageError } from '../output.js'
import { readTextFile } from '../read-text-file.js'

/** The password of a user: from a file, the environment, or whoever sits at the terminal. */
export async function readPassword(user: string, file: string | undefined): Promise<string> {
  if (file !== undefined) {
    const content = file === '-' ? await text(process.stdin) : await readTextFile('--password-file', file)
    return content.split(/\r?\n/)[0] ?? ''
  }
  const known = process.env.BITS_PASSWORD
  if (known !== undefined) return known
  if (process.stdin.isTTY && process.stderr.isTTY) return prompt(`Password of ${user}: `)
  throw usageError('--user: there is nobody to ask for the password; give BITS_PASSWORD or --password-file.')
}

async function prompt(question: string): Promise<string> {
  // What is typed would be echoed into this.
  const nowhere = new Writable({ write: (_chunk, _encoding, done) => done() })
  const terminal = createInterface({ input: process.stdin, output: nowhere, terminal: true })
  // Only now: what is typed before it listens, the terminal would show.
  process.stderr.write(question)
  // While it reads, Ctrl+C comes as a key and not as a signal.
  terminal.on('SIGINT', () => process.kill(process.pid, 'SIGINT'))
  try {
    return await Promise.race([terminal.question(''), ended(terminal)])
  } finally {
    terminal.close()
    process.stderr.write('\n')
  }
}

/** Ctrl+D, or a terminal that goes away. */
async function ended(terminal: Interface): Promise<never> {
  await once(terminal, 'close')
  throw usageError('--user: no password was given.')
}
