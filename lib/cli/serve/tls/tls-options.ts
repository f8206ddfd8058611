import { readFile } from 'node:fs/promises'
import type { SecureContextOptions } from 'node:tls'
import { asError } from '../../../util/errors.js'
import { CliError, EXIT, usageError } from '../../output.js'
import type { ServeFlags } from '../flags.js'
import {
  checkContext,
  checkPair,
  checkPfx,
  type NamedFile,
  readCertificates,
  validityWarning,
} from './certificate-files.js'
import { TLS_VERSIONS } from './versions.js'

export type TlsFlags = Pick<
  ServeFlags,
  'tlsCert' | 'tlsKey' | 'tlsPfx' | 'tlsPassphraseFile' | 'tlsMinVersion' | 'tlsClientCa'
>

/** Options of a TLS server, and warnings about its certificate. */
export interface TlsSettings {
  readonly options: SecureContextOptions
  readonly warnings: readonly string[]
}

export const usesTls = ({ tlsCert, tlsPfx }: Pick<TlsFlags, 'tlsCert' | 'tlsPfx'>): boolean =>
  tlsCert !== undefined || tlsPfx !== undefined

/** The files that the server rereads when they change. */
export const tlsFiles = ({ tlsCert, tlsKey, tlsPfx, tlsPassphraseFile, tlsClientCa }: TlsFlags): string[] =>
  [tlsCert, tlsKey, tlsPfx, tlsPassphraseFile, tlsClientCa].filter((path) => path !== undefined)

/** @throws CliError when flags contradict each other. */
export function checkTlsFlags(flags: TlsFlags): void {
  const { tlsCert, tlsKey, tlsPfx, tlsPassphraseFile, tlsMinVersion, tlsClientCa } = flags
  if (tlsPfx !== undefined && (tlsCert ?? tlsKey) !== undefined)
    throw usageError('--tls-pfx holds certificate and key: use it, or --tls-cert and --tls-key.')
  if ((tlsCert === undefined) !== (tlsKey === undefined))
    throw usageError('https needs a certificate and its key: use --tls-cert and --tls-key.')
  if (usesTls(flags)) return
  const [flag] = Object.entries({
    '--tls-passphrase-file': tlsPassphraseFile,
    '--tls-min-version': tlsMinVersion,
    '--tls-client-ca': tlsClientCa,
  }).find(([, value]) => value !== undefined) ?? [undefined]
  if (flag !== undefined)
    throw usageError(`${flag} needs https: use --tls-cert and --tls-key, or --tls-pfx, too.`)
}

/**
 * Reads the files that the flags name.
 *
 * @throws CliError when the files cannot be read or used; it says what to do.
 */
export async function readTls(flags: TlsFlags): Promise<TlsSettings> {
  const { tlsMinVersion: version, tlsPassphraseFile, tlsClientCa } = flags
  const passphrase =
    tlsPassphraseFile === undefined
      ? undefined
      : await readPassphrase('--tls-passphrase-file', tlsPassphraseFile)
  const { options: identity, warnings } = await readIdentity(flags, passphrase)
  const options: SecureContextOptions = {
    ...identity,
    ...(passphrase !== undefined && { passphrase }),
    ...(version !== undefined && { minVersion: TLS_VERSIONS[version] }),
    // OpenSSL 3 allows these two only without its minimum strength of keys and digests.
    ...((version === '1.0' || version === '1.1') && { ciphers: 'DEFAULT@SECLEVEL=0' }),
  }
  if (tlsClientCa === undefined) {
    checkContext(options)
    return { options, warnings }
  }
  const authorities = await readNamedFile('--tls-client-ca', tlsClientCa)
  readCertificates(authorities)
  const all = { ...options, ca: authorities.content }
  checkContext(all)
  return { options: all, warnings }
}

async function readIdentity(flags: TlsFlags, passphrase: string | undefined): Promise<TlsSettings> {
  const { tlsCert = '', tlsKey = '', tlsPfx } = flags
  if (tlsPfx !== undefined) {
    const pfx = await readNamedFile('--tls-pfx', tlsPfx)
    checkPfx(pfx, passphrase)
    return { options: { pfx: pfx.content }, warnings: [] }
  }
  const cert = await readNamedFile('--tls-cert', tlsCert)
  const key = await readNamedFile('--tls-key', tlsKey)
  const warning = validityWarning(checkPair(cert, key, passphrase))
  return {
    options: { cert: cert.content, key: key.content },
    warnings: warning === undefined ? [] : [`the certificate of --tls-cert ${warning}.`],
  }
}

async function readPassphrase(option: string, path: string): Promise<string> {
  const { content } = await readNamedFile(option, path)
  // Windows' editors put a byte order mark in front.
  const [line = ''] = content
    .toString('utf8')
    .replace(/^\uFEFF/, '')
    .split(/\r?\n/)
  if (line === '') throw usageError(`${option} ${path}: its first line is empty; write the passphrase there.`)
  return line
}

async function readNamedFile(option: string, path: string): Promise<NamedFile> {
  try {
    return { option, path, content: await readFile(path) }
  } catch (cause) {
    throw new CliError(EXIT.failure, `${option}: ${asError(cause).message}.`, { cause })
  }
}
