import { once } from 'node:events'
import { type AddressInfo, connect, createServer, type Socket } from 'node:net'
import { pipeline } from 'node:stream/promises'
import { setTimeout as sleep } from 'node:timers/promises'

/** A connection to a local server that is as slow as a real one and can be cut. */
export interface CuttableConnection {
  /** Where clients connect to, on 127.0.0.1. */
  readonly port: number
  /** Bytes that clients have sent through it. */
  readonly carried: number
  /** Breaks all connections in the middle of whatever they carry. New ones can be made at once. */
  cut(): void
  close(): Promise<void>
}

/**
 * A TCP proxy on 127.0.0.1.
 *
 * @param target the server. While nothing listens there, clients' connections break.
 * @param bytesPerSecond how fast it lets clients send, all together.
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
      // Each chunk takes the line for as long as its bytes need.
      free = Math.max(free, Date.now()) + (chunk.length * 1000) / bytesPerSecond
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
      client.resetAndDestroy()
      upstream.resetAndDestroy()
    }
    pipeline(client, slowly, upstream).catch(hangUp)
    pipeline(upstream, client).catch(hangUp)
  })
  const cut = () => {
    for (const socket of sockets) socket.resetAndDestroy()
  }
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  return {
    port,
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
}
