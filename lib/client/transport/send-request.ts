import { type Agent, type ClientRequest, request as httpRequest, type IncomingMessage } from 'node:http'
import { request as httpsRequest } from 'node:https'
import { types } from 'node:util'
import type { Authenticate } from '../../../types/authenticate.js'
import { BitsClientError, type RequestKind } from '../../uploader/client-error.js'
import type { TlsOptions } from '../options.js'
import { credentialsFor, verifyServer } from './request-credentials.js'
import { RequestTimeout } from './request-timeout.js'
import { tlsFault } from './tls-fault.js'

/** How requests reach a server. */
export interface RequestOptions {
  readonly agent: Agent | false
  readonly tls?: TlsOptions
  /** Milliseconds. */
  readonly sendTimeout: number
  readonly responseTimeout: number
  readonly signal?: AbortSignal
  /** Provides credentials for each request. */
  readonly authenticate?: Authenticate
}

export interface OutgoingRequest {
  readonly kind: RequestKind
  readonly method: string
  readonly url: URL
  readonly headers: Record<string, string>
  readonly body?: AsyncIterable<Buffer>
  /** Called for each chunk that was passed to the connection. */
  readonly onSent?: (bytes: number) => void
}

/** Reads a response to its end; `alive` postpones the timeout. */
export type ResponseReader<T> = (response: IncomingMessage, alive: () => void) => Promise<T>

/**
 * Sends one request and reads its response. A response that arrives before the whole request is sent stops the sending
 * and closes the connection. Afterwards the socket is free for the next request, or destroyed.
 *
 * @throws BitsClientError when there is no response in time (transient), and the errors of `read` and of the body.
 */
export async function sendRequest<T>(
  line: RequestOptions,
  outgoing: OutgoingRequest,
  read: ResponseReader<T>,
): Promise<T> {
  const { url, method, headers } = outgoing
  const timeout = new RequestTimeout(outgoing.kind, line.signal)
  const start = url.protocol === 'https:' ? httpsRequest : httpRequest
  let request: ClientRequest | undefined
  let response: IncomingMessage | undefined
  let sending: Promise<void> | undefined
  try {
    timeout.start('take the request', line.sendTimeout)
    const credentials = await credentialsFor(outgoing, line.authenticate, timeout.signal)
    // Node would not report a request that has aborted while it waits for a socket.
    timeout.signal.throwIfAborted()
    request = start(url, {
      ...line.tls,
      method,
      headers: credentials ? { ...headers, Authorization: credentials.authorization } : headers,
      agent: line.agent,
      signal: timeout.signal,
    })
    const answer = answerTo(request, timeout.signal)
    sending = sendBody(request, outgoing, timeout, line.responseTimeout)
    response = await answer
    await verifyServer(outgoing, credentials, response)
    return await read(response, () => timeout.refresh())
  } catch (thrown) {
    // Once a response has begun, a timeout only shows as a lost connection.
    const error = timeout.signal.aborted ? timeout.signal.reason : thrown
    throw error instanceof BitsClientError ? error : requestFailure(outgoing.kind, url, error)
  } finally {
    timeout.end()
    if (request) releaseSocket(request, response)
    // After this, the file is no longer read.
    await sending
  }
}

/** Node returns a socket to its agent only once the response was read to its end, even an empty one. */
function releaseSocket(request: ClientRequest, response: IncomingMessage | undefined): void {
  if (request.writableEnded && response?.complete) response.resume()
  else request.destroy()
}

function answerTo(request: ClientRequest, signal: AbortSignal): Promise<IncomingMessage> {
  return new Promise((resolve, reject) => {
    request.on('response', resolve)
    request.on('error', reject)
    request.on('close', () => reject(new Error('the connection was closed')))
    signal.addEventListener('abort', () => reject(signal.reason))
  })
}

/** Not with `pipeline`, which would hide an error of the body behind the request's "socket hang up". */
async function sendBody(
  request: ClientRequest,
  { body, onSent }: OutgoingRequest,
  timeout: RequestTimeout,
  responseTimeout: number,
): Promise<void> {
  try {
    for await (const chunk of body ?? []) {
      if (request.destroyed) return
      if (!request.write(chunk)) await drained(request, timeout.signal)
      if (request.destroyed) return
      timeout.refresh()
      onSent?.(chunk.length)
    }
    request.end(() => timeout.start('answer', responseTimeout))
  } catch (error) {
    request.destroy(types.isNativeError(error) ? error : new Error(String(error)))
  }
}

function drained(request: ClientRequest, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const done = (): void => {
      request.off('drain', done)
      request.off('close', done)
      signal.removeEventListener('abort', done)
      resolve()
    }
    request.on('drain', done)
    request.on('close', done)
    signal.addEventListener('abort', done)
    if (signal.aborted) done()
  })
}

function requestFailure(packet: RequestKind, url: URL, cause: unknown): BitsClientError {
  const code = types.isNativeError(cause) && 'code' in cause ? String(cause.code) : ''
  const message = types.isNativeError(cause) ? cause.message : String(cause)
  const fault = tlsFault(code, message)
  if (fault) {
    const sentence = `No response to ${packet} from ${url.host}: ${fault.why}.${fault.hint && ` ${fault.hint}`}`
    return new BitsClientError(sentence, { packet, cause, fatal: true })
  }
  // An AggregateError, for several addresses tried, has no message of its own.
  return new BitsClientError(`No response to ${packet} from ${url.host}: ${message || code}.`, {
    packet,
    cause,
    connectionLost: code === 'ECONNRESET' || code === 'EPIPE',
  })
}
