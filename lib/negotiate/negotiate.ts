import type { Request, RequestHandler } from 'express'
import type { Logger } from '../../types/options.js'
import { endResponse } from '../util/end-response.js'
import { asError } from '../util/errors.js'
import { AuthenticationError } from './authentication-error.js'
import { Authenticator } from './authenticator.js'
import { type Kerberos, loadKerberos } from './kerberos.js'
import { type NegotiateOptions, negotiateSettings } from './options.js'
import { TicketAcceptor } from './ticket-acceptor.js'

/**
 * Bytes of a request's body that are read before it is refused, so that the connection survives: more than any fragment
 * of Windows has (MC-BUP note 10).
 */
const DRAIN_LIMIT = 16 * 1024 * 1024

/** The middleware created by {@link negotiate}. It sets `req.user`. */
export interface Negotiate extends RequestHandler {
  /**
   * Returns the user who sent a request, for the options `user` and `authorize` of `bitsUpload()` in place of middleware.
   *
   * @throws AuthenticationError with the `status` to answer; its challenge has been set on the response.
   */
  authenticate(req: Request): Promise<string>
  /** Resolves when tickets can be accepted; without it, the log says if not. @throws Error that says why they cannot, and what to do. */
  ready(): Promise<void>
}

/**
 * Authenticates requests with Kerberos tickets (Negotiate, RFC 4559), as domain-joined Windows sends them, and sets
 * `req.user`. All others get 401. Needs the package `kerberos`; not for servers on Windows.
 *
 * @example app.use('/uploads', negotiate({ keytab: '/etc/uploads.keytab' }), bitsUpload({ user: (req) => req.user }))
 *
 * @throws OptionError for an invalid option, or an unusable keytab; Error if `kerberos` is not installed.
 */
export const negotiate = (options: NegotiateOptions = {}): Negotiate => negotiateWith(loadKerberos, options)

/** @param load replaces the package `kerberos` in tests. */
export function negotiateWith(
  load: () => Kerberos,
  options: NegotiateOptions,
  platform: NodeJS.Platform = process.platform,
): Negotiate {
  if (platform === 'win32')
    throw new Error(
      'negotiate: the package "kerberos" accepts no tickets on Windows: run this server on Linux, or let IIS or another ' +
        'proxy authenticate.',
    )
  const settings = negotiateSettings(options)
  const tickets = new TicketAcceptor(load(), settings.service)
  const authenticator = new Authenticator(settings, tickets)
  let isAwaited = false
  const readiness = tickets.check()
  readiness.catch((error: unknown) => {
    if (!isAwaited) settings.logger.error(`negotiate: ${asError(error).message}`)
  })
  const ready = (): Promise<void> => {
    isAwaited = true
    return readiness
  }

  const authenticate = (req: Request): Promise<string> => authenticator.authenticate(req)
  const handler: RequestHandler = async (req, res, next) => {
    let user: string
    try {
      user = await authenticate(req)
    } catch (error) {
      if (!(error instanceof AuthenticationError)) return next(error)
      const { status, headers } = error
      logRefusal(settings.logger, req, error)
      return endResponse(req, res, DRAIN_LIMIT, () => void res.status(status).set(headers))
    }
    Object.assign(req, { user })
    next()
  }
  return Object.assign(handler, { authenticate, ready })
}

function logRefusal(
  logger: Logger,
  { headers, socket }: Request,
  { status, message }: AuthenticationError,
): void {
  // Clients wait for a challenge.
  if (headers.authorization === undefined) return
  const line = `negotiate: a request from ${socket.remoteAddress ?? 'a client'} was answered ${status}: ${message}`
  if (status === 401) logger.warn(line)
  else logger.error(line)
}
