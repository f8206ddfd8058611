import { BitsClientError } from 'express-bits-upload/client'
import { CliError, EXIT } from '../output.js'
import { printError } from '../say.js'
import type { Item } from './items.js'
import { SavedState } from './saved-state.js'
import { type SendContext, sendItem } from './send-item.js'

/**
 * Sends several files, one after the other. A failure does not stop the others, unless they would fail in the same way.
 *
 * @returns the highest of their exit codes.
 * @throws the reason of `signal`.
 */
export async function sendItems(items: readonly Item[], context: SendContext): Promise<number> {
  const note = (line: string): void => {
    if (!context.flags.quiet) printError(line)
  }
  let exitCode: number = EXIT.done
  let sent = 0
  for (const [index, item] of items.entries()) {
    note(`${item.name} (${index + 1} of ${items.length})`)
    try {
      await sendItem(item, context)
      sent += 1
    } catch (error) {
      if (context.signal.aborted || !(error instanceof CliError)) throw error
      printError(`error: ${item.name}: ${error.message}`)
      exitCode = Math.max(exitCode, error.exitCode)
      if (concernsAll(error.cause)) break
    }
  }
  if (sent < items.length) printError(`error: ${sent} of ${items.length} files were sent.`)
  else for (const { file, url } of items) new SavedState(file, url, () => {}).remove()
  return exitCode
}

/** True when the server is unreachable, or rejects the credentials: repeated attempts may lock an account. */
const concernsAll = (cause: unknown): boolean =>
  cause instanceof BitsClientError &&
  cause.packet !== undefined &&
  (cause.status === undefined || cause.status === 401 || cause.status === 407)
