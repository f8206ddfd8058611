import { once } from 'node:events'
import { createInterface, type Interface } from 'node:readline/promises'
import { Writable } from 'node:stream'
import { usageError } from './output.js'

/** Whether there is a terminal to prompt at. */
export const canPrompt = (): boolean => process.stdin.isTTY === true && process.stderr.isTTY === true

/** Prompts for a password at the terminal, without echoing it. @throws CliError when the user enters none. */
export async function promptPassword(question: string): Promise<string> {
  // Readline writes its echo here, where it is discarded.
  const nowhere = new Writable({ write: (_chunk, _encoding, done) => done() })
  const terminal = createInterface({ input: process.stdin, output: nowhere, terminal: true })
  // Prompt only now: the terminal would echo anything typed before readline listens.
  process.stderr.write(question)
  // While readline reads, Ctrl+C arrives as a key, not as a signal.
  terminal.on('SIGINT', () => process.kill(process.pid, 'SIGINT'))
  try {
    return await Promise.race([terminal.question(''), rejectOnClose(terminal)])
  } finally {
    terminal.close()
    process.stderr.write('\n')
  }
}

/** Ctrl+D, or a terminal that closes. */
async function rejectOnClose(terminal: Interface): Promise<never> {
  await once(terminal, 'close')
  throw usageError('no password was given.')
}
