import type { IncomingMessage } from 'node:http'
import type { Authenticate, RequestCredentials } from '../../../types/authenticate.js'
import { BitsClientError, type RequestKind } from '../../uploader/client-error.js'
import { asError } from '../../util/errors.js'

interface Request {
  readonly kind: RequestKind
  readonly url: URL
}

/**
 * Gets the credentials of a request. A failure is transient: an expired ticket may be renewed at any time.
 *
 * @param signal ends the wait; Kerberos calls themselves cannot be aborted.
 * @throws BitsClientError, or the reason of the signal.
 */
export async function credentialsFor(
  { kind, url }: Request,
  authenticate: Authenticate | undefined,
  signal: AbortSignal,
): Promise<RequestCredentials | undefined> {
  if (!authenticate) return undefined
  signal.throwIfAborted()
  let stop = (): void => {}
  const aborted = new Promise<never>((_, reject) => {
    stop = () => reject(signal.reason)
    signal.addEventListener('abort', stop, { once: true })
  })
  try {
    return await Promise.race([callWith(authenticate, url), aborted])
  } catch (cause) {
    if (signal.aborted) throw signal.reason
    const message = `There are no credentials for ${kind} to ${url.host}: ${asError(cause).message}`
    throw new BitsClientError(message, { packet: kind, cause })
  } finally {
    signal.removeEventListener('abort', stop)
  }
}

/** Also turns an exception into a rejection. */
const callWith = async (authenticate: Authenticate, url: URL): Promise<RequestCredentials> =>
  authenticate({ url: new URL(url) })

/** @throws BitsClientError if the response does not come from the expected server. */
export async function verifyServer(
  { kind, url }: Request,
  credentials: RequestCredentials | undefined,
  { statusCode, headers }: IncomingMessage,
): Promise<void> {
  // A refusal contains a challenge, not a proof.
  if (!credentials?.verify || statusCode === 401) return
  try {
    await credentials.verify(headers['www-authenticate'])
  } catch (cause) {
    const message = `The server at ${url.host} could not prove its identity: ${asError(cause).message}`
    throw new BitsClientError(message, { packet: kind, fatal: true, cause })
  }
}
