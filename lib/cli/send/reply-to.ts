import { replyTarget } from '../../client/reply/reply-target.js'
import { asError } from '../../util/errors.js'
import { namingFlag } from '../option-flags.js'
import { CliError, EXIT } from '../output.js'
import type { SendFlags } from './flags.js'

/** The path that `--reply-to` names; undefined for standard output. */
export const replyFile = ({ replyTo }: SendFlags): string | undefined =>
  replyTo === '-' ? undefined : replyTo

/** @param file the file to send. @throws CliError when a reply cannot be written there. */
export async function checkReplyTo(file: string, flags: SendFlags): Promise<void> {
  const path = replyFile(flags)
  if (path === undefined) return
  try {
    await replyTarget(path, file)
  } catch (cause) {
    if (cause instanceof TypeError) throw namingFlag(cause)
    throw new CliError(EXIT.failure, `--reply-to: ${asError(cause).message}.`, { cause })
  }
}
