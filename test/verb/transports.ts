import { once } from 'node:events'
import { createServer as createHttpServer, type Server as HttpServer } from 'node:http'
import { createServer as createHttpsServer, type Server as HttpsServer } from 'node:https'
import { connect as connectTcp, type Socket } from 'node:net'
import { connect as connectTls, createSecureContext } from 'node:tls'
import { exchange, turns } from '../support/piecewise-socket.js'

/** How bytes reach a server. Node reads TCP and TLS natively, and streams in memory through 'data' events. */
export interface Transport {
  /** Whether the response to one piece is sent before the next one is read. Over sockets this depends on timing. */
  readonly isExact: boolean
  createServer(): HttpServer | HttpsServer
  /** Sends the pieces so that the server reads each one separately, then the end. Returns the response. */
  send(server: HttpServer | HttpsServer, pieces: readonly Buffer[]): Promise<string>
}

export const memory: Transport = {
  isExact: true,
  createServer: () => createHttpServer(),
  send: exchange,
}

export const tcp: Transport = {
  isExact: false,
  createServer: () => createHttpServer(),
  send: (server, pieces) => sendOver(server, 'connection', (port) => connectTcp(port, '127.0.0.1'), pieces),
}

export function tls(certificate: { key: string; cert: string }): Transport {
  const secureContext = createSecureContext({ ca: certificate.cert })
  const options = { host: '127.0.0.1', secureContext, rejectUnauthorized: false }
  return {
    isExact: false,
    createServer: () => createHttpsServer(certificate),
    send: (server, pieces) =>
      sendOver(server, 'secureConnection', (port) => connectTls({ ...options, port }), pieces),
  }
}

async function sendOver(
  server: HttpServer | HttpsServer,
  event: string,
  connect: (port: number) => Socket,
  pieces: readonly Buffer[],
): Promise<string> {
  if (!server.listening) await once(server.listen(0, '127.0.0.1'), 'listening')
  const address = server.address()
  if (typeof address !== 'object' || address === null) throw new Error('The server does not listen.')
  const accepted = new Promise<Socket>((resolve) => server.once(event, resolve))
  const client = connect(address.port).setNoDelay(true)
  client.on('error', () => {})
  let answer = ''
  client.on('data', (chunk: Buffer) => {
    answer += chunk.toString('latin1')
  })
  const closed = new Promise<void>((resolve) => client.once('close', () => resolve()))
  const socket = await accepted
  let sent = 0
  for (const piece of pieces) {
    if (client.destroyed || socket.destroyed) break
    client.write(piece)
    sent += piece.length
    await until(() => socket.destroyed || socket.bytesRead >= sent)
    await turns(1)
  }
  await turns(2)
  client.end()
  await until(() => client.destroyed)
  client.destroy()
  socket.destroy()
  await closed
  return answer.replace(/^Date: .*\r\n/gm, '')
}

/**
 * A server that has paused its socket, or handed it over, may never read what was sent, so half a second has to
 * suffice.
 */
async function until(condition: () => boolean): Promise<void> {
  const deadline = performance.now() + 500
  while (!condition() && performance.now() < deadline) await turns(1)
}
