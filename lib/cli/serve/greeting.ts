import { isIP } from 'node:net'
import { hostname } from 'node:os'
import { printError } from '../say.js'
import { livePathOf } from './app.js'
import type { ServeFlags } from './flags.js'

type Facts = Pick<ServeFlags, 'host' | 'path' | 'live' | 'livePath' | 'htpasswd' | 'tlsCert'>

/** Stands for a name that others have to know. */
const UNKNOWN = 'SERVER'

/**
 * Says where we are, how to upload from Windows, and what the world can do that it perhaps should not.
 *
 * @param origin where we listen.
 * @param machine what this machine calls itself.
 */
export function printGreeting(origin: string, directory: string, flags: Facts, machine = hostname()): void {
  const path = flags.path === '/' ? '' : flags.path
  const live = livePathOf(flags)
  const name = isKnownToOthers(machine) ? machine : UNKNOWN
  const reached = reachableOrigin(origin, flags.host, name)
  const lines = [`Uploads to ${origin}${path}/ go to ${directory}`]
  if (live !== undefined) lines.push(`Watch them at ${reached}${live}/`)
  lines.push(
    `From Windows: Start-BitsTransfer -TransferType Upload -Source C:\\a.zip -Destination ${reached}${path}/a.zip`,
  )
  if (name === UNKNOWN && reached !== origin) {
    lines.push(`For ${UNKNOWN} write the name or the address by which other machines know this one.`)
  }
  if (!isLocal(flags.host) && flags.htpasswd === undefined) {
    lines.push('warning: everybody who can reach this may upload; see --htpasswd.')
  } else if (!isLocal(flags.host) && flags.tlsCert === undefined) {
    lines.push('warning: passwords come unencrypted; see --tls-cert, or put a proxy with TLS in front.')
  }
  printError(lines.join('\n'))
}

/** A server that listens on all addresses of a machine is reached by its name: 0.0.0.0 leads nowhere from another one. */
function reachableOrigin(origin: string, host: string, name: string): string {
  if (!isEveryAddress(host)) return origin
  const { protocol } = new URL(origin)
  return `${protocol}//${name}${origin.slice(origin.lastIndexOf(':'))}`
}

/** `0.0.0.0` and `::`, however they are written. */
const isEveryAddress = (host: string): boolean => /^[0.:]*$/.test(host)

/** Not `localhost`, and not the number by which Docker names a container. */
const isKnownToOthers = (machine: string): boolean =>
  /^[a-z0-9][\w.-]*$/i.test(machine) && !/^(?:localhost(?:\..*)?|[0-9a-f]{12})$/i.test(machine)

const isLocal = (host: string): boolean =>
  host === 'localhost' || host === '::1' || (isIP(host) === 4 && host.startsWith('127.'))
