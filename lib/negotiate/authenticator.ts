import type { Request } from 'express'
import { AuthenticationError } from './authentication-error.js'
import { ConnectionUsers, isFromProxy } from './connection-users.js'
import { readCredentials } from './credentials.js'
import { NTLM_ADVICE } from './explain.js'
import type { NegotiateSettings } from './options.js'
import type { TicketAcceptor } from './ticket-acceptor.js'

type Basic = NonNullable<NegotiateSettings['basic']>

/** Authenticates a request, and sets the corresponding headers of its response. */
export class Authenticator {
  readonly #settings: NegotiateSettings
  readonly #tickets: TicketAcceptor
  readonly #connections = new ConnectionUsers()
  readonly #running = new WeakMap<Request, Promise<string>>()
  readonly #challenges: readonly string[]
  #warnedOfProxy = false

  constructor(settings: NegotiateSettings, tickets: TicketAcceptor) {
    this.#settings = settings
    this.#tickets = tickets
    const realm = settings.realm.replace(/["\\]/g, '\\$&')
    this.#challenges = settings.basic
      ? ['Negotiate', `Basic realm="${realm}", charset="UTF-8"`]
      : ['Negotiate']
  }

  /**
   * A second call for a request returns the same user: Kerberos accepts a token only once. @throws AuthenticationError
   */
  authenticate(req: Request): Promise<string> {
    const running = this.#running.get(req) ?? this.#authenticate(req)
    this.#running.set(req, running)
    return running
  }

  async #authenticate(req: Request): Promise<string> {
    const persistent = this.#settings.persistent && !this.#isShared(req)
    const known = persistent ? this.#connections.get(req) : undefined
    if (known !== undefined && req.headers.authorization === undefined) return known
    this.#connections.forget(req)
    try {
      const user = await this.#identify(req)
      if (persistent) {
        this.#connections.set(req, user)
        req.res?.setHeader('Persistent-Auth', 'true')
      }
      return user
    } catch (error) {
      if (error instanceof AuthenticationError && error.status === 401)
        req.res?.setHeader('WWW-Authenticate', this.#challenges)
      throw error
    }
  }

  async #identify(req: Request): Promise<string> {
    const credentials = readCredentials(req.headers.authorization)
    switch (credentials.scheme) {
      case 'negotiate': {
        const { principal, response } = await this.#tickets.accept(credentials.token)
        if (response !== undefined) req.res?.setHeader('WWW-Authenticate', `Negotiate ${response}`)
        return this.#withoutRealm(principal)
      }
      case 'basic': {
        const { basic } = this.#settings
        if (!basic)
          throw new AuthenticationError(401, 'The client sent a password, and the option basic is not set.')
        return checkPassword(basic, credentials.name, credentials.password, req)
      }
      case 'ntlm':
        throw new AuthenticationError(401, NTLM_ADVICE)
      case 'unusable':
        throw new AuthenticationError(
          401,
          `The Authorization of the request cannot be used: ${credentials.problem}.`,
        )
      case 'none':
        throw new AuthenticationError(401, 'The request has no Authorization.')
    }
  }

  #withoutRealm(principal: string): string {
    const { stripRealm } = this.#settings
    const at = principal.lastIndexOf('@')
    if (stripRealm === false || at < 0) return principal
    return stripRealm === true || principal.slice(at + 1) === stripRealm ? principal.slice(0, at) : principal
  }

  #isShared(req: Request): boolean {
    if (!isFromProxy(req)) return false
    if (!this.#warnedOfProxy)
      this.#settings.logger.warn(
        'negotiate: persistent is not applied to connections of proxies, which serve several users: each of their ' +
          'requests has to authenticate.',
      )
    this.#warnedOfProxy = true
    return true
  }
}

async function checkPassword(basic: Basic, name: string, password: string, req: Request): Promise<string> {
  if (name === '' || !(await basic(name, password, req)))
    throw new AuthenticationError(401, `Wrong name or password for ${JSON.stringify(name)}.`)
  return name
}
