import { once } from 'node:events'
import { type AddressInfo, createServer, type Server, type Socket } from 'node:net'

/** A notification exactly as received. */
export interface Notification {
  readonly requestLine: string
  /** `Name: value` lines, verbatim. */
  readonly lines: readonly string[]
  /** By lower-case name. */
  readonly headers: Readonly<Record<string, string>>
  readonly body: Buffer
}

/** Sends the bytes of a response to a notification, or does anything else with the connection. */
export type Answer = (
  notification: Notification,
  socket: Socket,
) => string | undefined | Promise<string | undefined>

/** A server application on plain TCP: records all requests, and sends exactly the bytes that a test specifies. */
export class Application {
  readonly notifications: Notification[] = []
  readonly port: number
  /** How it responds from now on. */
  answer: Answer
  readonly #server: Server
  readonly #sockets: Set<Socket>

  private constructor(server: Server, sockets: Set<Socket>, answer: Answer) {
    this.#server = server
    this.#sockets = sockets
    this.port = (server.address() as AddressInfo).port
    this.answer = answer
    server.on('connection', (socket) => this.#serve(socket))
  }

  static async start(answer: Answer | string = ok()): Promise<Application> {
    const sockets = new Set<Socket>()
    const server = createServer((socket) => {
      sockets.add(socket)
      socket.on('close', () => sockets.delete(socket)).on('error', () => {})
    })
    server.listen(0, '127.0.0.1')
    await once(server, 'listening')
    return new Application(server, sockets, typeof answer === 'string' ? () => answer : answer)
  }

  get url(): string {
    return `http://127.0.0.1:${this.port}/app/handler.asp`
  }

  get connections(): number {
    return this.#sockets.size
  }

  async stop(): Promise<void> {
    for (const socket of this.#sockets) socket.destroy()
    this.#server.close()
    await once(this.#server, 'close')
  }

  #serve(socket: Socket): void {
    let buffer = Buffer.alloc(0)
    const read = async (data: Buffer) => {
      buffer = Buffer.concat([buffer, data])
      const end = buffer.indexOf('\r\n\r\n')
      if (end < 0) return
      const [requestLine = '', ...lines] = buffer.subarray(0, end).toString('latin1').split('\r\n')
      const headers = Object.fromEntries(
        lines.map((line) => [
          line.slice(0, line.indexOf(':')).toLowerCase(),
          line.slice(line.indexOf(':') + 2),
        ]),
      )
      const length = Number(headers['content-length'] ?? 0)
      if (buffer.length < end + 4 + length) return
      socket.off('data', read)
      const body = Buffer.from(buffer.subarray(end + 4, end + 4 + length))
      const notification = { requestLine, lines, headers, body }
      this.notifications.push(notification)
      const response = await this.answer(notification, socket)
      if (response !== undefined) socket.write(response, 'latin1')
    }
    socket.on('data', read)
  }
}

export function response(status: number, headers: Record<string, string> = {}, body = ''): string {
  const lines = Object.entries({ 'Content-Length': String(body.length), ...headers })
  return `HTTP/1.1 ${status} Whatever\r\n${lines.map(([name, value]) => `${name}: ${value}\r\n`).join('')}\r\n${body}`
}

/** A response that accepts the upload and has it published. */
export const ok = (headers: Record<string, string> = {}, body = ''): string =>
  response(200, { 'BITS-Copy-File-To-Destination': '', ...headers }, body)
