import {
  type ClientRequest,
  type IncomingMessage,
  type RequestOptions,
  request as requestHttp,
} from 'node:http'
import { request as requestHttps } from 'node:https'
import { isIP } from 'node:net'
import { finished, type Readable } from 'node:stream'
import { BitsError } from '../protocol/bits-error.js'
import type { NotificationTarget } from './notification-url.js'

/** A notification: headers in addition to those that every notification has, and the body with its length in bytes. */
export interface NotificationMessage {
  readonly headers: Readonly<Record<string, string>>
  readonly length: number
  readonly body: Readable | undefined
}

/**
 * Posts to a server application, with the headers IIS sends (MC-BUP 4.2). Redirects are not followed: the response is
 * for the client to interpret.
 *
 * @returns the response, with its body unread.
 * @throws BitsError `notification-unreachable`, `notification-broken`; the error of the body, if it failed.
 */
export function post(
  target: NotificationTarget,
  message: NotificationMessage,
  signal: AbortSignal,
): Promise<IncomingMessage> {
  const { url, local } = target
  const secure = local?.secure ?? url.protocol === 'https:'
  const host = url.hostname.replace(/^\[(.*)\]$/, '$1')
  // An IP address cannot be a server name (RFC 6066 3): the certificate is then checked against the address.
  const servername = isIP(host) ? '' : host
  const options: RequestOptions = {
    method: 'POST',
    host: local?.address ?? host,
    port: local?.port ?? (url.port === '' ? (secure ? 443 : 80) : url.port),
    path: url.pathname + url.search,
    agent: false,
    signal,
    headers: {
      Accept: '*/*',
      ...message.headers,
      'User-Agent': 'BITSExts 1.5',
      Host: url.host,
      'Content-Length': message.length,
      Connection: 'Keep-Alive',
    },
  }
  return new Promise((resolve, reject) => {
    let connected = false
    const request = secure ? requestHttps({ ...options, servername }) : requestHttp(options)
    request.once('socket', (socket) =>
      socket.once(secure ? 'secureConnect' : 'connect', () => (connected = true)),
    )
    request.once('response', (response) => {
      // The connection is not used again.
      response.once('end', () => request.destroy())
      resolve(response)
    })
    request.once('error', (cause) => reject(failure(url, connected, cause)))
    // Node reports a response that switches protocols as neither a response nor an error, and closes the connection.
    request.once('close', () => reject(failure(url, connected, new Error('no response came'))))
    if (message.body) pipeBody(message.body, request, reject)
    else request.end()
  })
}

/**
 * Not with pipeline(): if the connection fails, it would destroy the request, and with it a response that has arrived.
 *
 * @param onFailure called when the body itself fails, which is not the application's fault.
 */
function pipeBody(body: Readable, request: ClientRequest, onFailure: (cause: Error) => void): void {
  finished(body, (cause) => {
    if (!cause || request.destroyed) return
    onFailure(cause)
    request.destroy()
  })
  // The body is not needed once the connection is closed.
  request.once('close', () => body.destroy())
  body.pipe(request)
}

const failure = (url: URL, connected: boolean, cause: Error): BitsError =>
  connected
    ? new BitsError('notification-broken', `The connection to ${url.origin} was lost: ${cause.message}`, {
        cause,
      })
    : new BitsError('notification-unreachable', `${url.origin} cannot be reached: ${cause.message}`, {
        cause,
      })
