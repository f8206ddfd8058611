import type { Kerberos } from '../../lib/negotiate/kerberos.js'

/** A token that {@link FakeKerberos} accepts once. */
export const tokenOf = (principal: string, serial: number): string =>
  Buffer.from(`${serial} ${principal}`).toString('base64')

/** A value for `Authorization` with a token. */
export const negotiateHeader = (principal: string, serial: number): Record<string, string> => ({
  Authorization: `Negotiate ${tokenOf(principal, serial)}`,
})

/** Replaces the package `kerberos`: tokens contain the principal, and each is accepted once. */
export class FakeKerberos implements Kerberos {
  readonly GSS_MECH_OID_SPNEGO = 6
  /** The services for which exchanges were started. */
  readonly services: string[] = []
  /** Makes every start of an exchange fail with this error. */
  failure: Error | undefined
  /** Makes every token fail with this error. */
  rejection: Error | undefined
  /** The tokens accepted so far. */
  readonly taken: string[] = []

  async initializeServer(service: string) {
    this.services.push(service)
    if (this.failure) throw this.failure
    const exchange = {
      username: null as string | null,
      response: null as string | null,
      contextComplete: false,
      step: async (token: string) => {
        if (this.rejection) throw this.rejection
        if (this.taken.includes(token)) throw new Error('Unspecified GSS failure: Request is a replay')
        this.taken.push(token)
        const [serial = '', principal = ''] = Buffer.from(token, 'base64').toString().split(' ')
        if (principal === '') return
        exchange.username = principal
        exchange.response = Buffer.from(`proof ${serial}`).toString('base64')
        exchange.contextComplete = true
      },
    }
    return exchange
  }

  async initializeClient(): Promise<never> {
    throw new Error('This is the side of the server.')
  }
}
