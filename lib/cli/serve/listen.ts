import { createPrivateKey, X509Certificate } from 'node:crypto'
import { once } from 'node:events'
import { createServer, type RequestListener, type Server } from 'node:http'
import { createServer as createTlsServer } from 'node:https'
import { isIP } from 'node:net'
import { asError, errorCode } from '../../util/errors.js'
import { CliError, EXIT, usageError } from '../output.js'
import { readTextFile } from '../read-text-file.js'
import { printError } from '../say.js'
import type { ServeFlags } from './flags.js'

/** Milliseconds in which nothing moves on a connection before it is ended; an application may be told meanwhile. */
const IDLE = 15 * 60 * 1000

/** @throws Failure when certificate and key do not do. */
export async function createServerFor(flags: ServeFlags): Promise<(app: RequestListener) => Server> {
  const { tlsCert, tlsKey } = flags
  if (tlsCert === undefined && tlsKey === undefined) return (app) => withTimes(createServer(app), flags)
  if (tlsCert === undefined || tlsKey === undefined) {
    throw usageError('https needs a certificate and its key: give --tls-cert and --tls-key.')
  }
  const cert = await readTextFile('--tls-cert', tlsCert)
  const key = await readTextFile('--tls-key', tlsKey)
  return (app) => {
    try {
      // A TLS server is content with no certificate and no key at all.
      createPrivateKey(key)
      const { validTo } = new X509Certificate(cert)
      if (Date.parse(validTo) < Date.now())
        printError(`warning: the certificate of --tls-cert expired at ${validTo}.`)
      return withTimes(createTlsServer({ cert, key }, app), flags)
    } catch (cause) {
      const why = asError(cause).message
      throw new CliError(EXIT.usage, `--tls-cert and --tls-key do not make a TLS server: ${why}.`, { cause })
    }
  }
}

function withTimes(server: Server, { notifyTimeout = 0 }: ServeFlags): Server {
  // A fragment may be slow, by its line or by --max-bandwidth: what counts is that something moves.
  server.requestTimeout = 0
  server.timeout = Math.max(IDLE, notifyTimeout * 1000 + 60_000)
  return server
}

/** @returns the URL of the server, with the port that it got. @throws Failure when there is none to be had. */
export async function listen(server: Server, { host, port, tlsCert }: ServeFlags): Promise<string> {
  try {
    server.listen(port, host)
    await once(server, 'listening')
  } catch (cause) {
    throw new CliError(EXIT.failure, `cannot listen on ${host} port ${port}: ${reasonOf(cause)}.`, { cause })
  }
  const address = server.address()
  const actual = typeof address === 'object' && address ? address.port : port
  const name = isIP(host) === 6 ? `[${host}]` : host
  return `${tlsCert === undefined ? 'http' : 'https'}://${name}:${actual}`
}

function reasonOf(error: unknown): string {
  const code = errorCode(error)
  if (code === 'EADDRINUSE') return 'another program has it; choose another --port'
  if (code === 'EACCES') return 'that needs more rights; choose a --port from 1024 on'
  if (code === 'EADDRNOTAVAIL') return 'this machine has no such address; choose another --host'
  return asError(error).message
}
