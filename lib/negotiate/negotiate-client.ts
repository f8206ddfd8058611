import type { Authenticate } from '../../types/authenticate.js'
import { KeyedQueue } from '../util/keyed-queue.js'
import { checkEach, type OptionChecks } from '../validation/check-options.js'
import { explain } from './explain.js'
import { type Kerberos, type KerberosClient, loadKerberos } from './kerberos.js'
import { isHostService } from './options.js'

/** Options of {@link negotiateClient}. `undefined` means the default. */
export interface NegotiateClientOptions {
  /** The server's service, as `HTTP@host`. Default: `HTTP@` and the host of the URL. */
  service?: string | undefined
}

/**
 * A call waits for the domain controller, which may not answer. Calls for one service wait for each other outside
 * Node's four threads, which also read files.
 */
const calls = new KeyedQueue()

const NEGOTIATE_CLIENT_OPTIONS: OptionChecks<NegotiateClientOptions> = { service: isHostService }

/**
 * The option `authenticate` of the client for servers that accept Kerberos tickets: those of the user that runs this
 * process (`kinit`), or on Windows of the logged-on user. Needs the package `kerberos`.
 *
 * @example await uploadFile('a.zip', 'https://server.example.com/uploads/a.zip', { authenticate: negotiateClient() })
 *
 * @throws OptionError for an invalid option; Error if `kerberos` is not installed.
 */
export const negotiateClient = (options: NegotiateClientOptions = {}): Authenticate =>
  negotiateClientWith(loadKerberos, options)

/** @param load replaces the package `kerberos` in tests. */
export function negotiateClientWith(
  load: () => Kerberos,
  options: NegotiateClientOptions,
  platform: NodeJS.Platform = process.platform,
): Authenticate {
  checkEach({ name: 'negotiateClient', checks: NEGOTIATE_CLIENT_OPTIONS }, options)
  const kerberos = load()
  return async ({ url }) => {
    const service = options.service ?? `HTTP@${url.hostname}`
    const name = platform === 'win32' ? service.replace('@', '/') : service
    const client = await calls.run(name, () => beginNegotiation(kerberos, name))
    return {
      authorization: `Negotiate ${client.response}`,
      verify: (challenge) => verify(client, challenge),
    }
  }
}

async function beginNegotiation(kerberos: Kerberos, service: string): Promise<KerberosClient> {
  try {
    const client = await kerberos.initializeClient(service, { mechOID: kerberos.GSS_MECH_OID_SPNEGO })
    await client.step('')
    return client
  } catch (cause) {
    throw new Error(explain(cause), { cause })
  }
}

/** A server that sends no token does not prove its identity; only TLS can. */
async function verify(client: KerberosClient, challenge: string | undefined): Promise<void> {
  const token = /^Negotiate\s+(\S+)$/i.exec(challenge ?? '')?.[1]
  if (token === undefined) return
  try {
    await client.step(token)
  } catch (cause) {
    // The proof was valid, and only the ticket has expired in the meantime: the next request gets a new one.
    if (client.contextComplete) return
    throw new Error(explain(cause), { cause })
  }
  if (!client.contextComplete) throw new Error('its token is not the last one of the exchange.')
}
