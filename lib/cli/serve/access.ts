import { usageError } from '../output.js'
import { livePathOf } from './app-paths.js'
import { authenticateBy, type IdentifyUser, isRight } from './authenticate.js'
import type { ServeFlags } from './flags.js'
import { metricsPathOf } from './monitoring.js'
import { authenticateByTicket, type CheckPassword } from './negotiate.js'
import { HtpasswdFile } from './passwords/htpasswd-file.js'
import { PasswordGate } from './passwords/password-gate.js'
import { PasswordWorkers } from './passwords/password-workers.js'
import { authenticateByCertificate } from './tls/client-certificate.js'

type AccessFlags = Pick<
  ServeFlags,
  'htpasswd' | 'negotiate' | 'service' | 'keytab' | 'realm' | 'tlsClientCa' | 'verbose'
>

/** Whether users are identified. Otherwise everybody has access. */
export const hasUsers = ({
  htpasswd,
  negotiate,
  tlsClientCa,
}: Pick<AccessFlags, 'htpasswd' | 'negotiate' | 'tlsClientCa'>): boolean =>
  htpasswd !== undefined || negotiate === true || tlsClientCa !== undefined

/** @throws CliError when flags for a directory contradict each other. */
export function checkDirectoryAccess(flags: ServeFlags): void {
  const { htpasswd, negotiate, trustSessionId, tlsClientCa } = flags
  if (negotiate && tlsClientCa !== undefined)
    throw usageError('--negotiate and --tls-client-ca both identify the user: use only one of them.')
  if (!negotiate && (flags.service ?? flags.keytab) !== undefined)
    throw usageError('--service and --keytab are for Kerberos tickets: use --negotiate, too.')
  if (htpasswd !== undefined && tlsClientCa !== undefined)
    throw usageError('--htpasswd and --tls-client-ca both identify the user: use only one of them.')
  if (trustSessionId && htpasswd === undefined && !negotiate)
    throw usageError(
      '--trust-session-id is for clients that send the password only once: use --htpasswd, too.',
    )
}

/**
 * Checks who may see the pages of the server as a whole, which show the uploads of all directories.
 *
 * @param flags of the server as a whole.
 * @param directories the flags of each directory.
 * @throws CliError when they are less protected than a directory.
 */
export function checkPageAccess(flags: ServeFlags, directories: readonly ServeFlags[]): void {
  const livePath = livePathOf(flags)
  if (flags.liveActions && livePath === undefined)
    throw usageError('--live-actions adds buttons to the page of --live: use --live, too.')
  if (flags.liveHost !== undefined && !flags.liveActions)
    throw usageError('--live-host is for the buttons of the live page: use --live-actions, too.')
  if (hasUsers(flags) || !directories.some(hasUsers)) return
  const page = livePath === undefined ? metricsPathOf(flags) && '--metrics' : '--live'
  if (page !== undefined)
    throw usageError(
      `the page of ${page} shows the uploads of all directories, and everybody would see it: set "htpasswd" at the top level, too.`,
    )
}

/** Identifies users. All directories share the threads that check passwords. */
export class AccessControl {
  readonly #identifiers = new Map<string, Promise<IdentifyUser | undefined>>()
  #gate: Promise<PasswordGate> | undefined

  /**
   * How users are identified. Equal flags result in the same function.
   *
   * @returns `undefined` when access is unrestricted.
   * @throws CliError when the htpasswd file or the keytab cannot be read.
   */
  of(flags: AccessFlags): Promise<IdentifyUser | undefined> {
    const { htpasswd, negotiate, service, keytab, realm, tlsClientCa } = flags
    const key = JSON.stringify({ htpasswd, negotiate, service, keytab, realm, tlsClientCa })
    const known = this.#identifiers.get(key) ?? this.#create(flags)
    this.#identifiers.set(key, known)
    return known
  }

  /** Releases the delayed responses to wrong passwords. */
  async close(): Promise<void> {
    const gate = await this.#gate
    gate?.close()
  }

  async #create(flags: AccessFlags): Promise<IdentifyUser | undefined> {
    const { htpasswd, negotiate, realm, tlsClientCa } = flags
    // Before workers are started: an unusable keytab is an error.
    if (negotiate && htpasswd === undefined) return authenticateByTicket(flags)
    if (htpasswd === undefined) return tlsClientCa === undefined ? undefined : authenticateByCertificate
    const users = await HtpasswdFile.open(htpasswd)
    this.#gate ??= PasswordWorkers.start().then((workers) => new PasswordGate(workers))
    const gate = await this.#gate
    if (!negotiate) return authenticateBy(users, gate, realm)
    const checkPassword: CheckPassword = (name, pass, req) => isRight(users, gate, { name, pass }, req)
    return authenticateByTicket(flags, checkPassword)
  }
}
