import { hostname } from 'node:os'
import { printError } from '../say.js'
import { hasUsers } from './access.js'
import { livePathOf } from './app-paths.js'
import type { ServeFlags } from './flags.js'
import { isLoopbackHost } from './own-host.js'
import type { ServeStores } from './stores/stores.js'
import { usesTls } from './tls/tls-options.js'
import { powerShellLine } from './windows-commands.js'

type Facts = Pick<ServeFlags, 'host' | 'live' | 'livePath' | 'tlsCert' | 'tlsPfx'>

/** What the greeting says of a directory. */
export interface GreetingDirectory {
  readonly flags: Pick<ServeFlags, 'path' | 'htpasswd' | 'negotiate' | 'tlsClientCa'>
  readonly stores: Pick<ServeStores, 'location' | 'forgetsSessions'>
}

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
  directories: readonly GreetingDirectory[],
  flags: Facts,
  machine = hostname(),
): void {
  const live = livePathOf(flags)
  const name = isKnownToOthers(machine) ? machine : HOST_PLACEHOLDER
  const reached = reachableOrigin(origin, flags.host, name)
  const lines = directories.map(
    ({ flags: { path }, stores }) => `Uploads to ${origin}${prefixOf(path)}/ go to ${stores.location}`,
  )
  if (live !== undefined) lines.push(`Watch them at ${reached}${live}/`)
  for (const { flags: own } of directories.slice(0, 1)) {
    const url = `${reached}${prefixOf(own.path)}/a.zip`
    lines.push(`From Windows: ${powerShellLine(url, own.htpasswd !== undefined && !own.negotiate)}`)
  }
  if (name === HOST_PLACEHOLDER && reached !== origin) {
    lines.push(`Replace ${HOST_PLACEHOLDER} with the name or address at which other machines reach this one.`)
  }
  if (directories.some(({ stores }) => stores.forgetsSessions))
    lines.push('warning: sessions end with this server, and unfinished uploads with them; see --redis.')
  const warnings = isLoopbackHost(flags.host) ? [] : warningsFor(directories, flags)
  lines.push(...warnings.map((warning) => `warning: ${warning}`))
  printError(lines.join('\n'))
}

const prefixOf = (path: string): string => (path === '/' ? '' : path)

function warningsFor(directories: readonly GreetingDirectory[], flags: Facts): string[] {
  const open = directories.filter((directory) => !hasUsers(directory.flags))
  const where =
    open.length === directories.length ? '' : ` to ${open.map((one) => one.flags.path).join(', ')}`
  const hasPasswords = directories.some((directory) => directory.flags.htpasswd !== undefined)
  return [
    ...(open.length > 0 ? [`anyone who can reach this server may upload${where}; see --htpasswd.`] : []),
    ...(hasPasswords && !usesTls(flags)
      ? ['passwords are sent unencrypted; see --tls-cert, or put a proxy with TLS in front.']
      : []),
  ]
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
