import { asError } from '../util/errors.js'
import { AuthenticationError } from './authentication-error.js'
import { explain } from './explain.js'
import type { Kerberos, KerberosServer } from './kerberos.js'

/** The result of an accepted ticket. */
export interface AcceptedTicket {
  readonly principal: string
  /** Base64 of the token that proves the server's identity; `undefined` if the client did not request one. */
  readonly response: string | undefined
}

/** RFC 8062 */
const ANONYMOUS = /^WELLKNOWN\/ANONYMOUS@/i

/** Accepts tickets for a service, with the keys of the keytab. */
export class TicketAcceptor {
  readonly #kerberos: Kerberos
  readonly #service: string

  constructor(kerberos: Kerberos, service: string) {
    this.#kerberos = kerberos
    this.#service = service
  }

  /** @throws Error that says why no ticket can be accepted, and what to do. */
  async check(): Promise<void> {
    await this.#begin()
  }

  /** @throws AuthenticationError */
  async accept(token: string): Promise<AcceptedTicket> {
    const server = await this.#begin().catch((cause: unknown) => {
      throw new AuthenticationError(503, asError(cause).message, { cause })
    })
    try {
      await server.step(token)
    } catch (cause) {
      throw new AuthenticationError(401, `The token was rejected: ${explain(cause)}`, { cause })
    }
    const { username, contextComplete, response } = server
    if (!contextComplete || username === null || username === '')
      throw new AuthenticationError(
        401,
        'The token begins an exchange of several steps, which Kerberos does not need.',
      )
    if (ANONYMOUS.test(username)) throw new AuthenticationError(401, 'The ticket is anonymous.')
    return { principal: username, response: response ?? undefined }
  }

  async #begin(): Promise<KerberosServer> {
    try {
      return await this.#kerberos.initializeServer(this.#service)
    } catch (cause) {
      throw new Error(`No ticket for ${this.#service} can be accepted: ${explain(cause)}`, { cause })
    }
  }
}
