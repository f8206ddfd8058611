import type { UploadOptions } from 'express-bits-upload/client'
import { usageError } from '../output.js'
import { checkCertificates, checkKey } from '../pem.js'
import { readHeaders } from '../read-files.js'
import { readTextFile } from '../read-text-file.js'
import type { SendFlags } from './flags.js'
import { ticketsFor } from './negotiate.js'
import { readPassword } from './password.js'
import { type EnvironmentProxy, proxyFor } from './proxy.js'

/** How the requests of a command reach the server. */
export interface SendRequestSettings {
  readonly request: UploadOptions
  readonly proxy: EnvironmentProxy | undefined
}

/**
 * Collects headers, certificates and the proxy.
 *
 * @param note receives lines about settings that do not come from flags.
 * @throws CliError when they cannot be read, or contradict each other.
 */
export async function requestOptions(
  flags: SendFlags,
  url: URL,
  note: (line: string) => void,
): Promise<SendRequestSettings> {
  const headers = Object.fromEntries(await readHeaders('--header', flags.header ?? []))
  const tls = await readClientTls(flags)
  const proxy = await proxyFor(url, tls?.ca)
  if (proxy) note(`Using the proxy ${proxy.origin}, from ${proxy.variable} in the environment.`)
  if (flags.user !== undefined) {
    if (url.username !== '' || url.password !== '') {
      throw usageError('both the URL and --user name a user: use only one of them.')
    }
    // The first colon ends the name (RFC 7617 2).
    if (flags.user.includes(':'))
      throw usageError('--user: a user name for HTTP Basic cannot contain a colon.')
    const password = await readPassword(flags.user, flags.passwordFile)
    headers.Authorization = `Basic ${Buffer.from(`${flags.user}:${password}`).toString('base64')}`
  } else if (flags.passwordFile !== undefined) {
    throw usageError('--password-file needs a user name: use --user, too.')
  }
  const authenticate = flags.negotiate ? await ticketsFor(flags, url, headers) : undefined
  const allTls = proxy?.tls ? { ...tls, ...proxy.tls } : tls
  return { request: { headers, tls: allTls, agent: proxy?.agent, authenticate }, proxy }
}

interface ClientTls {
  ca?: string
  cert?: string
  key?: string
}

async function readClientTls({ ca, cert, key }: SendFlags): Promise<ClientTls | undefined> {
  const tls: ClientTls = {}
  if (ca !== undefined) {
    tls.ca = await readTextFile('--ca', ca)
    checkCertificates('--ca', ca, tls.ca)
  }
  if (cert !== undefined && key !== undefined) {
    tls.cert = await readTextFile('--cert', cert)
    tls.key = await readTextFile('--key', key)
    checkCertificates('--cert', cert, tls.cert)
    checkKey('--key', key, tls.key, tls.cert)
  } else if (cert !== undefined || key !== undefined) {
    throw usageError('a client certificate needs its private key: use both --cert and --key.')
  }
  return ca === undefined && cert === undefined ? undefined : tls
}
