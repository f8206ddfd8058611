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

/** What is posted: headers beside those every notification has, and the body with its length in bytes. */
export interface NotificationMessage {
  readonly headers: Readonly<Record<string, string>>
  readonly length: number
  readonly body: Readable | undefined
}

/**
 * Posts to a server application, with the headers IIS sends (MC-BUP 4.2). No redirect is followed: what the application
 * answers is for the client to judge.
 *
 * @returns the response, its body yet to be read.
 * @throws BitsError `notification-unreachable`, `notification-broken`; what the body failed with, if it did.
 */
export function post(
  target: NotificationTarget,
  message: NotificationMessage,
  signal: AbortSignal,
): Promise<IncomingMessage> {
  const { url, local } = target
  const secure = local?.secure ?? url.protocol === 'https:'
  const host = url.hostname.replace(/^\[(.*)\]$/, '$1')
  // An address is no server name (RFC 6066 3): the certificate is checked against the address then.
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
      // Nothing else will be asked over this connection.
      response.once('end', () => request.destroy())
      resolve(response)
    })
    request.once('error', (cause) => reject(failure(url, connected, cause)))
    // An answer that switches protocols is neither a response nor an error to Node, which just closes.
    request.once('close', () => reject(failure(url, connected, new Error('no response came'))))
    if (message.body) send(message.body, request, reject)
    else request.end()
  })
}

/**
 * Not by pipeline(): when the connection fails that destroys the request, and with it what has come of an answer.
 *
 * @param onFailure told when the body fails of itself, which is no fault of the application.
 */
function send(body: Readable, request: ClientRequest, onFailure: (cause: Error) => void): void {
  finished(body, (cause) => {
    if (!cause || request.destroyed) return
    onFailure(cause)
    request.destroy()
  })
  // An exchange that breaks off takes the body with it.
  request.once('close', () => body.destroy())
  body.pipe(request)
}

const failure = (url: URL, connected: boolean, cause: Error): BitsError =>
  connected
    ? new BitsError('notification-broken', `The exchange with ${url.origin} broke off: ${cause.message}`, {
        cause,
      })
    : new BitsError('notification-unreachable', `${url.origin} cannot be reached: ${cause.message}`, {
        cause,
      })
