import { once } from 'node:events'
import type { Server } from 'node:http'
import { Server as TlsServer } from 'node:https'
import type { Socket } from 'node:net'
import type { RequestHandler, Response } from 'express'

/** Stops a server without interrupting requests in progress. */
export class Draining {
  readonly #running = new Set<Response>()
  readonly #sockets = new Set<Socket>()
  /** Connections of a TLS server that have not finished their handshake, by remote address. */
  readonly #handshakes = new Map<string, Socket>()
  #stopping = false

  /** Must come first in the app. */
  readonly middleware: RequestHandler = (_req, res, next) => {
    this.#running.add(res)
    res.on('close', () => {
      this.#running.delete(res)
      // A response whose head has been sent cannot announce that the connection will close.
      if (this.#stopping) this.#endIdle()
    })
    if (this.#stopping) endConnectionWith(res)
    next()
  }

  /** Must be called before the server listens. */
  watch(server: Server): void {
    const isTls = server instanceof TlsServer
    if (isTls) server.on('connection', (socket: Socket) => this.#watchHandshake(socket))
    server.on(isTls ? 'secureConnection' : 'connection', (socket: Socket) => {
      this.#handshakes.delete(otherEnd(socket))
      this.#sockets.add(socket)
      socket.on('close', () => this.#sockets.delete(socket))
    })
  }

  #watchHandshake(socket: Socket): void {
    const key = otherEnd(socket)
    this.#handshakes.set(key, socket)
    socket.on('close', () => {
      if (this.#handshakes.get(key) === socket) this.#handshakes.delete(key)
    })
  }

  /**
   * Stops accepting connections, and closes each existing one after the response to its current request.
   *
   * @param grace seconds after which the remaining ones are cut.
   * @returns how many requests were cut.
   */
  async stop(server: Server, grace: number): Promise<number> {
    let cut = 0
    const closed = once(server, 'close')
    this.#stopping = true
    server.close()
    for (const res of this.#running) endConnectionWith(res)
    this.#endIdle()
    const timer = setTimeout(() => {
      cut = this.#running.size
      server.closeAllConnections()
    }, grace * 1000)
    await closed
    clearTimeout(timer)
    return cut
  }

  /** Includes connections that never sent a request or completed a handshake, which Node does not count as idle. */
  #endIdle(): void {
    for (const socket of this.#handshakes.values()) socket.destroy()
    const busy = new Set([...this.#running].map(({ req }) => req.socket))
    for (const socket of this.#sockets) {
      if (!busy.has(socket)) socket.destroySoon()
    }
  }
}

const otherEnd = ({ remoteAddress, remotePort }: Socket): string => `${remoteAddress} ${remotePort}`

function endConnectionWith(res: Response): void {
  if (!res.headersSent) res.set('Connection', 'close')
}
