import { BitsClientError, type UploadResult } from 'express-bits-upload/client'
import { ADVICE } from '../../client/advice.js'
import { CliError, EXIT } from '../output.js'
import type { SendFlags } from './flags.js'
import type { EnvironmentProxy } from './proxy.js'
import { replyFile } from './reply-to.js'

/** Prints the server application's reply, unless it was written to a file. @returns a line that says so. */
export function giveReply({ reply, replyUrl }: UploadResult, flags: SendFlags): string | undefined {
  const path = replyFile(flags)
  if (path !== undefined) return replyUrl === undefined ? 'There was no reply.' : `The reply is in ${path}.`
  if (reply === undefined) return undefined
  // A server must not control the user's terminal.
  if (process.stdout.isTTY) process.stdout.write(`${reply.toString().replace(/[^\P{C}\n\t]/gu, '?')}\n`)
  else process.stdout.write(reply)
  return undefined
}

/** Maps the package's advice to flags. */
const FLAG_ADVICE: Readonly<Record<keyof typeof ADVICE, string>> = {
  credentials: 'use --user or --header',
  ticket: '--negotiate for a Kerberos ticket',
  proxyCredentials: 'pass them in the URL of the proxy, http://user:password@proxy:3128',
  certificate: 'use --cert and --key',
  authority: 'pass the certificate of its authority with --ca',
  largeReply: '--reply-to writes it to a file',
}

function nameFlagsIn(message: string): string {
  const replace = (text: string, [topic, flags]: [string, string]): string =>
    text.replace(String(Reflect.get(ADVICE, topic)), flags)
  return Object.entries(FLAG_ADVICE).reduce(replace, message)
}

interface FailedUpload {
  /** It continued an earlier attempt. */
  readonly resumed: boolean
  readonly proxy: EnvironmentProxy | undefined
}

/** Turns the failure of an upload into an error with an exit code and advice. */
export function failureOf(error: unknown, { resumed, proxy }: FailedUpload): unknown {
  if (!(error instanceof BitsClientError)) return error
  const isNamed = proxy === undefined || error.packet === undefined || error.message.includes(proxy.origin)
  const way = isNamed
    ? ''
    : ` It went through the proxy ${proxy.origin}, from ${proxy.variable} in the environment.`
  const said = nameFlagsIn(error.message) + way
  if (!error.fatal) {
    const message = `${said} Gave up. Run the same command again to continue.`
    return new CliError(EXIT.gaveUp, message, { cause: error })
  }
  const exitCode = error.packet === undefined ? EXIT.failure : EXIT.refused
  const hint = resumed ? ' use --restart to start over.' : ''
  return new CliError(exitCode, `${said}${hint}`, { cause: error })
}
