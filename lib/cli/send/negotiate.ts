import type { UploadOptions } from 'express-bits-upload/client'
import { asError } from '../../util/errors.js'
import { CliError, EXIT, usageError } from '../output.js'
import type { SendFlags } from './flags.js'

/**
 * Gets a Kerberos ticket for each request, the first one right away: without any ticket, retrying would not help.
 *
 * @throws CliError when there is no ticket, or other credentials are given as well.
 */
export async function ticketsFor(
  { user }: SendFlags,
  url: URL,
  headers: Readonly<Record<string, string>>,
): Promise<UploadOptions['authenticate']> {
  const hasHeader = Object.keys(headers).some((name) => name.toLowerCase() === 'authorization')
  if (user !== undefined || url.username !== '' || hasHeader)
    throw usageError(
      '--negotiate contradicts --user, a user name in the URL and a header Authorization: use only one of them.',
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
