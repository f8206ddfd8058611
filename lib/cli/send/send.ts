import { UploadJob, type UploadOptions } from 'express-bits-upload/client'
import { namingFlag } from '../option-flags.js'
import { EXIT, exitCodeOf, usageError } from '../output.js'
import { printError } from '../say.js'
import { listenForSignals } from '../signals.js'
import { isLocal } from './destination.js'
import type { SendFlags } from './flags.js'
import { type Item, itemsToSend } from './items.js'
import { checkReplyTo, replyFile } from './reply-to.js'
import { requestOptions } from './request-options.js'
import { clientUploadOptions, type SendContext, sendItem } from './send-item.js'
import { sendItems } from './send-items.js'

/**
 * Sends files.
 *
 * @param paths files, or directories with files in them.
 * @returns the exit code.
 * @throws CliError when the only file was not sent, or none can be.
 */
export async function send(paths: readonly string[], destination: string, flags: SendFlags): Promise<number> {
  const note = (line: string): void => {
    if (!flags.quiet) printError(line)
  }
  const items = await itemsToSend(paths, destination, printError)
  const [first] = items
  if (!first) {
    note('There are no files to send.')
    return EXIT.done
  }
  const several = items.length > 1
  if (several && replyFile(flags) !== undefined) {
    throw usageError('--reply-to names one file, but there are several to send: omit it, or use -.')
  }
  const { request, proxy } = await requestOptions(flags, first.url, note)
  checkSendOptions(first, { ...request, ...clientUploadOptions(flags) })
  await checkReplyTo(first.file, flags)
  warnOfPassword(first.url, flags, note)
  const stop = listenForSignals()
  const context: SendContext = { flags, request, proxy, signal: stop.signal, several }
  try {
    if (several) return await sendItems(items, context)
    await sendItem(first, context)
    return EXIT.done
  } catch (error) {
    const signal = stop.first()
    if (!signal) throw error
    note('Stopped. Run the same command again to continue.')
    return exitCodeOf(signal)
  }
}

function warnOfPassword(url: URL, flags: SendFlags, note: (line: string) => void): void {
  if (url.protocol !== 'http:' || isLocal(url)) return
  if (flags.user !== undefined || url.password !== '') {
    note('warning: the password is sent unencrypted: use https: if the server supports it.')
  }
}

function checkSendOptions({ file, url }: Item, options: UploadOptions): void {
  try {
    new UploadJob(file, url, options)
  } catch (error) {
    throw namingFlag(error)
  }
}
