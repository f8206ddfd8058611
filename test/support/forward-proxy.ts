import { once } from 'node:events'
import { createServer, request, type Server } from 'node:http'
import { createServer as createTlsServer, type ServerOptions } from 'node:https'
import { type AddressInfo, connect } from 'node:net'

/** An HTTP proxy as in a company network: CONNECT for https:, absolute URLs for http:. It records the requests. */
export class ForwardProxy {
  /** `CONNECT host:port` and `BITS_POST http://host:port/path`, in order. */
  readonly asked: string[] = []
  /** Required value of `Proxy-Authorization`; any if undefined. */
  authorization: string | undefined
  readonly #server: Server
  readonly #sockets = new Set<{ destroy(): void }>()

  private constructor(server: Server) {
    this.#server = server
  }

  /** @param tls if the proxy itself has an https: URL. */
  static async start(tls?: ServerOptions): Promise<ForwardProxy> {
    // Node's parser rejects BITS_POST, so a verb of the same length replaces it.
    const server = tls ? createTlsServer(tls) : createServer()
    const proxy = new ForwardProxy(server)
    server.on(tls ? 'secureConnection' : 'connection', (socket) => {
      proxy.#sockets.add(socket)
      socket.prependListener('data', (data: Buffer) => {
        if (data.subarray(0, 10).equals(Buffer.from('BITS_POST '))) data.write('BIND      ', 'latin1')
      })
    })
    server.on('request', (incoming, response) => {
      const method = incoming.method === 'BIND' ? 'BITS_POST' : incoming.method
      proxy.asked.push(`${method} ${incoming.url}`)
      if (proxy.#refuses(incoming.headers['proxy-authorization'])) {
        incoming.resume()
        response.writeHead(407, { 'Proxy-Authenticate': 'Basic', 'Content-Length': 0 }).end()
        return
      }
      const outgoing = request(incoming.url ?? '', { method, headers: incoming.headers, agent: false })
      outgoing.on('response', (answer) => {
        response.writeHead(answer.statusCode ?? 0, answer.headers)
        answer.pipe(response)
      })
      outgoing.on('error', () => response.destroy())
      incoming.pipe(outgoing)
    })
    server.on('connect', (incoming, near, head) => {
      proxy.asked.push(`CONNECT ${incoming.url}`)
      if (proxy.#refuses(incoming.headers['proxy-authorization'])) {
        near.end('HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 0\r\n\r\n')
        return
      }
      const [host, port] = (incoming.url ?? '').split(':')
      const far = connect(Number(port), host, () => {
        near.write('HTTP/1.1 200 OK\r\n\r\n')
        far.write(head)
        far.pipe(near)
        near.pipe(far)
      })
      proxy.#sockets.add(far)
      for (const socket of [near, far]) socket.on('error', () => far.destroy())
    })
    server.listen(0, '127.0.0.1')
    await once(server, 'listening')
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

  #refuses(given: string | undefined): boolean {
    return this.authorization !== undefined && given !== this.authorization
  }
}
