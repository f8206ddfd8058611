import { BitsClientError, type RequestKind } from '../uploader/client-error.js'
import type { ResponseHead } from '../uploader/response-head.js'
import type { BrowserSettings } from './settings.js'

/** A request to send. */
export interface BrowserRequest {
  readonly kind: RequestKind
  readonly method: string
  readonly url: URL
  readonly headers: Record<string, string>
  readonly body?: ArrayBuffer
}

/**
 * Sends a request and reads its response, within a time limit.
 *
 * @param signal of the user.
 * @throws BitsClientError when there is no response (transient), and whatever `read` throws.
 */
export async function request<T>(
  { kind, method, url, headers, body }: BrowserRequest,
  { credentials, requestTimeout }: Pick<BrowserSettings, 'credentials' | 'requestTimeout'>,
  signal: AbortSignal | undefined,
  read: (response: Response) => Promise<T>,
): Promise<T> {
  const timeout = AbortSignal.timeout(requestTimeout)
  try {
    const response = await fetch(url, {
      method,
      headers,
      credentials,
      redirect: 'manual',
      signal: signal ? AbortSignal.any([signal, timeout]) : timeout,
      ...(body && { body }),
    })
    if (response.type === 'opaqueredirect') {
      throw new BitsClientError(`The server redirects ${kind}: upload to the final URL.`, {
        packet: kind,
        fatal: true,
      })
    }
    return await read(response)
  } catch (cause) {
    if (cause instanceof BitsClientError) throw cause
    signal?.throwIfAborted()
    throw fetchFailure(kind, url, timeout.aborted, cause)
  }
}

function fetchFailure(packet: RequestKind, url: URL, timedOut: boolean, cause: unknown): BitsClientError {
  // A browser does not tell a page why: a server that is down looks like one that does not allow the request.
  const hint = isOtherOrigin(url) ? ' Is it running, and does it allow this page (CORS)?' : ''
  const message = `No response to ${packet} from ${url.host}${timedOut ? ' in time' : ''}.${hint}`
  return new BitsClientError(message, { packet, cause, connectionLost: !timedOut })
}

/** Whether the browser sends a preflight request first. */
export const isOtherOrigin = (url: URL): boolean => url.origin !== Reflect.get(globalThis, 'location')?.origin

export const fetchedHead = ({ status, headers }: Response): ResponseHead => ({
  status,
  header: (name) => headers.get(name)?.trim() || undefined,
})
