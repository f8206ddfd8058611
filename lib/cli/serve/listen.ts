import { once } from 'node:events'
import { createServer, type RequestListener, type Server } from 'node:http'
import { createServer as createTlsServer, type Server as TlsServer } from 'node:https'
import { isIP } from 'node:net'
import { asError, errorCode } from '../../util/errors.js'
import { CliError, EXIT } from '../output.js'
import { printError } from '../say.js'
import type { ServeFlags } from './flags.js'
import { type TlsSettings, usesTls } from './tls/tls-options.js'

/** Milliseconds of inactivity after which a connection is closed. Notifying an application may take that long. */
const IDLE = 15 * 60 * 1000

/** Milliseconds between two warnings about clients that speak http to an https port. */
const WARNING_INTERVAL = 60_000

type PlaceFlags = Pick<ServeFlags, 'host' | 'port' | 'tlsCert' | 'tlsPfx'>
type ServerFlags = Pick<ServeFlags, 'maxHeaderSize' | 'tlsClientCa'>
type ApplicationFlags = Pick<ServeFlags, 'notifyTimeout' | 'onUploadTimeout'>

/**
 * @param tls absent for a server that speaks http.
 * @param applications the flags of each directory: requests may take as long as an application does.
 */
export function createServerFor(
  app: RequestListener,
  flags: ServerFlags,
  tls: TlsSettings | undefined,
  applications: readonly ApplicationFlags[] = [],
): Server | TlsServer {
  const { maxHeaderSize, tlsClientCa } = flags
  if (!tls) return withTimes(createServer({ maxHeaderSize }, app), applications)
  const requestCert = tlsClientCa !== undefined
  const server = createTlsServer(
    { ...tls.options, maxHeaderSize, requestCert, rejectUnauthorized: true },
    app,
  )
  warnOfPlainHttp(server)
  return withTimes(server, applications)
}

/** Such a client only sees its connection close. */
function warnOfPlainHttp(server: TlsServer): void {
  let warnedAt = Number.NEGATIVE_INFINITY
  server.on('tlsClientError', (error, { remoteAddress }) => {
    if (errorCode(error) !== 'ERR_SSL_HTTP_REQUEST' || performance.now() - warnedAt < WARNING_INTERVAL) return
    warnedAt = performance.now()
    const who = remoteAddress ?? 'a client'
    printError(`warning: ${who} speaks http to this https port: its URL has to start with https://.`)
  })
}

function withTimes<T extends Server>(server: T, applications: readonly ApplicationFlags[]): T {
  const seconds = applications.flatMap(({ notifyTimeout = 0, onUploadTimeout = 0 }) => [
    notifyTimeout,
    onUploadTimeout,
  ])
  // A fragment may be slow, because of the network or --max-bandwidth: any progress counts.
  server.requestTimeout = 0
  server.timeout = Math.max(IDLE, ...seconds.map((one) => one * 1000 + 60_000))
  return server
}

/** @returns the URL of the server, with the port that it got. @throws CliError when it cannot listen there. */
export async function listen(
  server: Server,
  flags: PlaceFlags,
  platform = process.platform,
): Promise<string> {
  const { host, port } = flags
  try {
    server.listen(port, host)
    await once(server, 'listening')
  } catch (cause) {
    throw new CliError(
      EXIT.failure,
      `cannot listen on ${host} port ${port}: ${listenProblem(cause, platform)}.`,
      {
        cause,
      },
    )
  }
  const address = server.address()
  const actual = typeof address === 'object' && address ? address.port : port
  const name = isIP(host) === 6 ? `[${host}]` : host
  return `${usesTls(flags) ? 'https' : 'http'}://${name}:${actual}`
}

function listenProblem(error: unknown, platform: NodeJS.Platform): string {
  const code = errorCode(error)
  if (code === 'EADDRINUSE') return 'another program uses it; choose another --port'
  // Windows has no privileged ports.
  if (code === 'EACCES' && platform === 'win32')
    return 'Windows reserves this port, or IIS or another program has it (netsh http show servicestate); choose another --port'
  if (code === 'EACCES') return 'ports below 1024 need more privileges; choose another --port'
  if (code === 'EADDRNOTAVAIL') return 'this machine has no such address; choose another --host'
  return asError(error).message
}
