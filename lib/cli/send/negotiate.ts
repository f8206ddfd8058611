import type { UploadOptions } from 'express-bits-upload/client'
import { asError } from '../../util/errors.js'
import { CliError, EXIT, usageError } from '../output.js'
import type { SendFlags } from './flags.js'

/**
 * Takes a Kerberos ticket for each request. Gets the first one at once: without any, retrying is of no use.
 *
 * @throws CliError when there is none, or there are other credentials.
 */
export async function ticketsFor(
  { user }: SendFlags,
  url: URL,
  headers: Readonly<Record<string, string>>,
): Promise<UploadOptions['authenticate']> {
  const hasHeader = Object.keys(headers).some((name) => name.toLowerCase() === 'authorization')
  if (user !== undefined || url.username !== '' || hasHeader)
    throw usageError(
      '--negotiate: there is a --user, a name in the URL or an Authorization, too: give one of them.',
    )
  const { negotiateClient } = await import('express-bits-upload/negotiate')
  try {
    const authenticate = negotiateClient()
    await authenticate({ url })
    return authenticate
  } catch (cause) {
    throw new CliError(EXIT.failure, `--negotiate: ${asError(cause).message}`, { cause })
  }
}
