import { once } from 'node:events'
import { type AddressInfo, connect, createServer, type Server } from 'node:net'

/** Forwards bytes to a local port, and cuts connections after a configured number of bytes. */
export class CuttingProxy {
  cuts = 0
  /**
   * Each connection takes one of these limits, and is cut after it has forwarded that many bytes to the server. Later
   * connections have none.
   */
  readonly #limits: number[]
  readonly #server: Server
  readonly #sockets = new Set<{ destroy(): void }>()

  private constructor(target: number, limits: readonly number[]) {
    this.#limits = [...limits]
    this.#server = createServer((near) => {
      const far = connect(target, '127.0.0.1')
      let left = this.#limits.shift() ?? Infinity
      for (const socket of [near, far]) {
        this.#sockets.add(socket)
        socket.on('error', () => {})
        socket.on('close', () => {
          near.destroy()
          far.destroy()
          this.#sockets.delete(socket)
        })
      }
      far.pipe(near)
      near.on('data', (data) => {
        far.write(data.subarray(0, left))
        left -= data.length
        if (left > 0) return
        this.cuts += 1
        near.destroy()
      })
    })
  }

  static async start(target: number, limits: readonly number[]): Promise<CuttingProxy> {
    const proxy = new CuttingProxy(target, limits)
    proxy.#server.listen(0, '127.0.0.1')
    await once(proxy.#server, 'listening')
    return proxy
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port
  }

  async stop(): Promise<void> {
    for (const socket of this.#sockets) socket.destroy()
    this.#server.close()
    await once(this.#server, 'close')
  }
}
