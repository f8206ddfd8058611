import type { TlsOptions, UploadOptions } from 'express-bits-upload/client'
import { usageError } from '../output.js'
import { readHeaders } from '../read-files.js'
import { readTextFile } from '../read-text-file.js'
import type { SendFlags } from './flags.js'
import { readPassword } from './password.js'

/** Headers and certificates. @throws Failure when they cannot be read, or make no sense. */
export async function requestOptions(flags: SendFlags, url: URL): Promise<UploadOptions> {
  const headers = Object.fromEntries(await readHeaders('--header', flags.header ?? []))
  const tls = await readTls(flags)
  if (flags.user !== undefined) {
    if (url.username !== '' || url.password !== '') {
      throw usageError('there is a name in the URL and a --user: give one of them.')
    }
    // The first colon ends the name (RFC 7617 2).
    if (flags.user.includes(':')) throw usageError('--user: a name for HTTP Basic has no colon in it.')
    const password = await readPassword(flags.user, flags.passwordFile)
    headers.Authorization = `Basic ${Buffer.from(`${flags.user}:${password}`).toString('base64')}`
  } else if (flags.passwordFile !== undefined) {
    throw usageError('--password-file: give the name that goes with it, too, as --user.')
  }
  return { headers, tls }
}

async function readTls({ ca, cert, key }: SendFlags): Promise<TlsOptions | undefined> {
  if ((cert === undefined) !== (key === undefined)) {
    throw usageError('a certificate to show needs its key: give --cert and --key.')
  }
  if (ca === undefined && cert === undefined) return undefined
  return {
    ...(ca !== undefined && { ca: await readTextFile('--ca', ca) }),
    ...(cert !== undefined && { cert: await readTextFile('--cert', cert) }),
    ...(key !== undefined && { key: await readTextFile('--key', key) }),
  }
}
