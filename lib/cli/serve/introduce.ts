import { isIP } from 'node:net'
import { say } from '../say.js'
import { livePathOf } from './app.js'
import type { ServeFlags } from './flags.js'

/** Says where we are, how to upload from Windows, and what the world can do that it perhaps should not. */
export function introduce(origin: string, directory: string, flags: ServeFlags): void {
  const base = `${origin}${flags.path === '/' ? '' : flags.path}`
  const live = livePathOf(flags)
  const lines = [`Uploads to ${base}/ go to ${directory}`]
  if (live !== undefined) lines.push(`Watch them at ${origin}${live}/`)
  lines.push(
    `From Windows: Start-BitsTransfer -TransferType Upload -Source C:\\a.zip -Destination ${base}/a.zip`,
  )
  if (!isLocal(flags.host) && flags.htpasswd === undefined) {
    lines.push('warning: everybody who can reach this may upload; see --htpasswd.')
  } else if (!isLocal(flags.host) && flags.tlsCert === undefined) {
    lines.push('warning: passwords come unencrypted; see --tls-cert, or put a proxy with TLS in front.')
  }
  say(lines.join('\n'))
}

const isLocal = (host: string): boolean =>
  host === 'localhost' || host === '::1' || (isIP(host) === 4 && host.startsWith('127.'))
