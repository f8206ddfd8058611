import { type Agent, type ClientRequest, request as httpRequest, type IncomingMessage } from 'node:http'
import { request as httpsRequest } from 'node:https'
import { types } from 'node:util'
import type { TlsOptions } from '../options.js'
import { BitsClientError, type RequestKind } from './client-error.js'
import { tlsFault } from './tls-fault.js'

/** How requests reach a server. */
export interface RequestOptions {
  readonly agent: Agent | false
  readonly tls?: TlsOptions
  /** Milliseconds. */
  readonly sendTimeout: number
  readonly responseTimeout: number
  readonly signal?: AbortSignal
}

export interface OutgoingRequest {
  readonly kind: RequestKind
  readonly method: string
  readonly url: URL
  readonly headers: Record<string, string>
  readonly body?: AsyncIterable<Buffer>
  /** Told of each piece that was handed to the connection. */
  readonly onSent?: (bytes: number) => void
}

/** Reads an answer to its end; `alive` postpones the time-out. */
export type ResponseReader<T> = (response: IncomingMessage, alive: () => void) => Promise<T>

/**
 * One request and its answer. An answer that comes before all of the request is sent ends the sending, and the
 * connection with it.
 *
 * @throws BitsClientError when there is no answer in time (transient), and whatever `read` or the body throws.
 */
export async function sendRequest<T>(
  line: RequestOptions,
  outgoing: OutgoingRequest,
  read: ResponseReader<T>,
): Promise<T> {
  const { url, method, headers } = outgoing
  const start = url.protocol === 'https:' ? httpsRequest : httpRequest
  const request = start(url, {
    ...line.tls,
    method,
    headers,
    agent: line.agent,
    ...(line.signal && { signal: line.signal }),
  })
  const watch = new RequestTimeout(request, outgoing.kind)
  let response: IncomingMessage | undefined
  let sending: Promise<void> | undefined
  try {
    const answer = answerTo(request)
    watch.start('take the request', line.sendTimeout)
    sending = send(request, outgoing, watch, line.responseTimeout)
    response = await answer
    return await read(response, () => watch.refresh())
  } catch (thrown) {
    // Once an answer has begun, a time-out shows only as a broken connection.
    const error = watch.expired ?? thrown
    throw error instanceof BitsClientError ? error : noAnswer(outgoing.kind, url, error)
  } finally {
    watch.end()
    if (!request.writableEnded || !response?.complete) request.destroy()
    // Nobody reads the file any more when this is over.
    await sending
  }
}

function answerTo(request: ClientRequest): Promise<IncomingMessage> {
  return new Promise((resolve, reject) => {
    request.on('response', resolve)
    request.on('error', reject)
    request.on('close', () => reject(new Error('the connection was closed')))
  })
}

/** By hand and not by `pipeline`, which would hide an error of the body behind the request's "socket hang up". */
async function send(
  request: ClientRequest,
  { body, onSent }: OutgoingRequest,
  watch: RequestTimeout,
  responseTimeout: number,
): Promise<void> {
  try {
    for await (const chunk of body ?? []) {
      if (request.destroyed) return
      if (!request.write(chunk)) await drained(request)
      if (request.destroyed) return
      watch.refresh()
      onSent?.(chunk.length)
    }
    request.end(() => watch.start('answer', responseTimeout))
  } catch (error) {
    request.destroy(types.isNativeError(error) ? error : new Error(String(error)))
  }
}

function drained(request: ClientRequest): Promise<void> {
  return new Promise((resolve) => {
    const done = (): void => {
      request.off('drain', done)
      request.off('close', done)
      resolve()
    }
    request.on('drain', done)
    request.on('close', done)
  })
}

/** The timers of MC-BUP 3.1.2: one to send, one to answer; never both at once. */
class RequestTimeout {
  readonly #request: ClientRequest
  readonly #kind: RequestKind
  #timer: NodeJS.Timeout | undefined
  #ended = false
  /** Why the request was given up, once time has run out. */
  expired: BitsClientError | undefined

  constructor(request: ClientRequest, kind: RequestKind) {
    this.#request = request
    this.#kind = kind
  }

  start(what: string, milliseconds: number): void {
    if (this.#ended) return
    clearTimeout(this.#timer)
    this.#timer = setTimeout(() => {
      const message = `The server did not ${what} (${this.#kind}) within ${milliseconds} ms.`
      this.expired = new BitsClientError(message, { packet: this.#kind })
      this.#request.destroy(this.expired)
    }, milliseconds)
  }

  refresh(): void {
    this.#timer?.refresh()
  }

  end(): void {
    this.#ended = true
    clearTimeout(this.#timer)
  }
}

function noAnswer(packet: RequestKind, url: URL, cause: unknown): BitsClientError {
  const code = types.isNativeError(cause) && 'code' in cause ? String(cause.code) : ''
  const message = types.isNativeError(cause) ? cause.message : String(cause)
  const fault = tlsFault(code, message)
  if (fault) {
    const sentence = `No answer to ${packet} from ${url.host}: ${fault.why}.${fault.hint}`
    return new BitsClientError(sentence, { packet, cause, fatal: true })
  }
  // An AggregateError, of several addresses tried, has no message of its own.
  return new BitsClientError(`No answer to ${packet} from ${url.host}: ${message || code}.`, {
    packet,
    cause,
  })
}
