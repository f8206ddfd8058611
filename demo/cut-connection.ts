import { once } from 'node:events'
import { type AddressInfo, connect, createServer, type Socket } from 'node:net'
import { pipeline } from 'node:stream/promises'
import { setTimeout as sleep } from 'node:timers/promises'

/** A throttled connection to a local server that can be cut. */
export interface CuttableConnection {
  /** The address that clients connect to, on 127.0.0.1. */
  readonly port: number
  /** Bytes sent by clients so far. */
  readonly carried: number
  /** Total rate at which clients can send, from the next chunk on. */
  bytesPerSecond: number
  /** Closes all connections abruptly. Clients can reconnect immediately. */
  cut(): void
  close(): Promise<void>
}

/**
 * A TCP proxy on 127.0.0.1.
 *
 * @param target the server. While nothing listens there, connections from clients are closed.
 * @param bytesPerSecond total rate at which clients can send.
 */
export async function openLine(
  target: { host: string; port: number },
  bytesPerSecond = Infinity,
): Promise<CuttableConnection> {
  const sockets = new Set<Socket>()
  let carried = 0
  let free = 0

  async function* slowly(source: AsyncIterable<Buffer>): AsyncGenerator<Buffer> {
    for await (const chunk of source) {
      // Delays each chunk by the time that its bytes need at this rate.
      free = Math.max(free, Date.now()) + (chunk.length * 1000) / line.bytesPerSecond
      const wait = free - Date.now()
      if (wait > 1) await sleep(wait)
      carried += chunk.length
      yield chunk
    }
  }

  const server = createServer((client) => {
    const upstream = connect(target.port, target.host)
    for (const socket of [client, upstream]) {
      sockets.add(socket)
      socket.setNoDelay(true)
      socket.on('close', () => sockets.delete(socket))
    }
    const hangUp = () => {
      reset(client)
      reset(upstream)
    }
    pipeline(client, slowly, upstream).catch(hangUp)
    pipeline(upstream, client).catch(hangUp)
  })
  const cut = () => {
    for (const socket of sockets) reset(socket)
  }
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  const line: CuttableConnection = {
    port,
    bytesPerSecond,
    get carried() {
      return carried
    },
    cut,
    async close() {
      const closed = once(server, 'close')
      server.close()
      cut()
      await closed
    },
  }
  return line
}

/** Node never closes a socket that is reset while its FIN is being sent. */
function reset(socket: Socket): void {
  if (socket.writableEnded) socket.destroy()
  else socket.resetAndDestroy()
}
