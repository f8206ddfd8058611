import { isIP } from 'node:net'
import { hostname } from 'node:os'
import type { RequestHandler } from 'express'
import { printError } from '../say.js'
import type { ServeFlags } from './flags.js'

/** Whether an address or name of `--host` can be reached from this machine only. */
export const isLoopbackHost = (host: string): boolean =>
  host === 'localhost' || host === '::1' || (isIP(host) === 4 && host.startsWith('127.'))

/**
 * For a server that is reachable from this machine only and asks for no password: refuses requests that change something
 * under a name that is not this machine's. A web site can have its own name resolve to 127.0.0.1 (DNS rebinding), and
 * browsers then take its page for one of this server. Addresses need no such check, as nothing resolves them.
 */
export function ownHostOnly({ host, liveHost }: Pick<ServeFlags, 'host' | 'liveHost'>): RequestHandler {
  const names = [hostname(), liveHost].map((name) => name?.toLowerCase())
  const isOwn = (name: string): boolean =>
    isIP(name.replace(/[[\]]/g, '')) !== 0 || /^(?:.*\.)?localhost$/.test(name) || names.includes(name)
  let isReported = false
  return (req, res, next) => {
    const name = hostnameOf(req.get('host') ?? '')
    if (!isLoopbackHost(host) || ['GET', 'HEAD'].includes(req.method) || isOwn(name)) return next()
    // A page could fill the log.
    if (!isReported) {
      printError(
        `warning: an action of the live page was refused, because its host ${name.slice(0, 100)} is not this machine. If that is the name of your proxy, pass it with --live-host.`,
      )
      isReported = true
    }
    res.status(403).json({ result: 'not-allowed' })
  }
}

/** In lower case and without port; empty if a client sent none. */
const hostnameOf = (host: string): string =>
  URL.canParse(`http://${host}`) ? new URL(`http://${host}`).hostname : ''
