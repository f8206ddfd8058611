import { usageError } from '../output.js'
import { livePathOf } from './app-paths.js'
import { authenticateBy, type IdentifyUser, isRight } from './authenticate.js'
import type { ServeFlags } from './flags.js'
import { authenticateByTicket, type CheckPassword } from './negotiate.js'
import { HtpasswdFile } from './passwords/htpasswd-file.js'
import { PasswordGate } from './passwords/password-gate.js'
import { PasswordWorkers } from './passwords/password-workers.js'
import { authenticateByCertificate } from './tls/client-certificate.js'

export interface Access {
  /** Absent when access is unrestricted. */
  readonly authenticate?: IdentifyUser
  /** Releases the delayed responses to wrong passwords. */
  close(): void
}

/** @throws CliError when flags contradict each other. */
export function checkAccessFlags(flags: ServeFlags): void {
  const { htpasswd, negotiate, trustSessionId, tlsClientCa } = flags
  if (negotiate && tlsClientCa !== undefined)
    throw usageError('--negotiate and --tls-client-ca both identify the user: give one of them.')
  if (!negotiate && (flags.service ?? flags.keytab) !== undefined)
    throw usageError('--service and --keytab are for Kerberos tickets: give --negotiate, too.')
  if (htpasswd !== undefined && tlsClientCa !== undefined)
    throw usageError('--htpasswd and --tls-client-ca both identify the user: give one of them.')
  if (flags.liveActions && livePathOf(flags) === undefined)
    throw usageError('--live-actions adds buttons to the page of --live: give --live, too.')
  if (trustSessionId && htpasswd === undefined && !negotiate)
    throw usageError(
      '--trust-session-id is for clients that send the password only once: give --htpasswd, too.',
    )
}

/**
 * How users are identified.
 *
 * @throws CliError when the htpasswd file or the keytab cannot be read.
 */
export async function accessOf(flags: ServeFlags): Promise<Access> {
  const { htpasswd, realm, tlsClientCa } = flags
  // Before workers are started: an unusable keytab is an error.
  if (flags.negotiate && htpasswd === undefined)
    return { authenticate: await authenticateByTicket(flags), close: () => {} }
  if (htpasswd !== undefined) {
    const users = await HtpasswdFile.open(htpasswd)
    const gate = new PasswordGate(await PasswordWorkers.start())
    const close = (): void => gate.close()
    if (!flags.negotiate) return { authenticate: authenticateBy(users, gate, realm), close }
    const checkPassword: CheckPassword = (name, pass, req) => isRight(users, gate, { name, pass }, req)
    return { authenticate: await authenticateByTicket(flags, checkPassword), close }
  }
  if (tlsClientCa !== undefined) return { authenticate: authenticateByCertificate, close: () => {} }
  return { close: () => {} }
}
