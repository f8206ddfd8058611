import { isIP } from 'node:net'
import { hostname } from 'node:os'
import { printError } from '../say.js'
import { livePathOf } from './app-paths.js'
import type { ServeFlags } from './flags.js'
import type { ServeStores } from './stores/stores.js'
import { usesTls } from './tls/tls-options.js'
import { powerShellLine } from './windows-commands.js'

type Facts = Pick<
  ServeFlags,
  'host' | 'path' | 'live' | 'livePath' | 'htpasswd' | 'negotiate' | 'tlsCert' | 'tlsPfx' | 'tlsClientCa'
>

/** Placeholder for a name that the reader must fill in. */
const HOST_PLACEHOLDER = 'SERVER'

/**
 * Prints where the server listens and how to upload from Windows, and warns of unprotected access.
 *
 * @param origin where the server listens.
 * @param machine host name of this machine.
 */
export function printGreeting(
  origin: string,
  { location, forgetsSessions }: Pick<ServeStores, 'location' | 'forgetsSessions'>,
  flags: Facts,
  machine = hostname(),
): void {
  const path = flags.path === '/' ? '' : flags.path
  const live = livePathOf(flags)
  const name = isKnownToOthers(machine) ? machine : HOST_PLACEHOLDER
  const reached = reachableOrigin(origin, flags.host, name)
  const lines = [`Uploads to ${origin}${path}/ go to ${location}`]
  if (live !== undefined) lines.push(`Watch them at ${reached}${live}/`)
  lines.push(
    `From Windows: ${powerShellLine(`${reached}${path}/a.zip`, flags.htpasswd !== undefined && !flags.negotiate)}`,
  )
  if (name === HOST_PLACEHOLDER && reached !== origin) {
    lines.push(`Replace ${HOST_PLACEHOLDER} with the name or address at which other machines reach this one.`)
  }
  if (forgetsSessions)
    lines.push('warning: sessions end with this server, and unfinished uploads with them; see --redis.')
  const warning = isLoopbackHost(flags.host) ? undefined : warningFor(flags)
  if (warning !== undefined) lines.push(`warning: ${warning}`)
  printError(lines.join('\n'))
}

function warningFor(flags: Facts): string | undefined {
  if (flags.htpasswd === undefined && !flags.negotiate && flags.tlsClientCa === undefined)
    return 'anyone who can reach this server may upload; see --htpasswd.'
  if (flags.htpasswd !== undefined && !usesTls(flags))
    return 'passwords are sent unencrypted; see --tls-cert, or put a proxy with TLS in front.'
  return undefined
}

/** A server that listens on all addresses is reached by the machine's name: 0.0.0.0 means nothing to other machines. */
function reachableOrigin(origin: string, host: string, name: string): string {
  if (!isEveryAddress(host)) return origin
  const scheme = origin.slice(0, origin.indexOf('//'))
  return `${scheme}//${name}${origin.slice(origin.lastIndexOf(':'))}`
}

/** `0.0.0.0` and `::`, however they are written. */
const isEveryAddress = (host: string): boolean => /^[0.:]*$/.test(host)

/** Excludes `localhost`, and the hexadecimal id that is a container's default host name. */
const isKnownToOthers = (machine: string): boolean =>
  /^[a-z0-9][\w.-]*$/i.test(machine) && !/^(?:localhost(?:\..*)?|[0-9a-f]{12})$/i.test(machine)

const isLoopbackHost = (host: string): boolean =>
  host === 'localhost' || host === '::1' || (isIP(host) === 4 && host.startsWith('127.'))
