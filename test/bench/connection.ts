import { connect, type Socket } from 'node:net'

export interface Answer {
  readonly status: number
  /** The head exactly as received, for {@link headerOf}. */
  readonly head: string
}

const END_OF_HEAD = '\r\n\r\n'
/** The only response without a body and without a length. */
const NO_CONTENT = 'HTTP/1.1 204'
const LAST_CHUNK = '0\r\n\r\n'

/**
 * A kept-alive HTTP connection with as little code as possible between the benchmark and the socket, so that the server
 * is what is measured.
 */
export class Connection {
  readonly #socket: Socket
  #received = ''
  #settle: { resolve: (answer: Answer) => void; reject: (error: Error) => void } | undefined

  private constructor(socket: Socket) {
    this.#socket = socket
    socket.setNoDelay(true)
    socket.setEncoding('latin1')
    socket.on('data', (text: string) => this.#read(text))
    socket.on('error', (error) => this.#fail(error))
    socket.on('close', () => this.#fail(new Error(`The server closed the connection: ${this.#received}`)))
  }

  static open(port: number): Promise<Connection> {
    return new Promise((resolve, reject) => {
      const socket = connect(port, '127.0.0.1', () => resolve(new Connection(socket)))
      socket.once('error', reject)
    })
  }

  /** Sends one request and waits for its response. Not for concurrent use. */
  request(line: string, headers: Readonly<Record<string, string>>, body?: Buffer): Promise<Answer> {
    let head = `${line} HTTP/1.1\r\nHost: bench\r\n`
    for (const [name, value] of Object.entries(headers)) head += `${name}: ${value}\r\n`
    return new Promise((resolve, reject) => {
      this.#settle = { resolve, reject }
      this.#socket.cork()
      this.#socket.write(head + (body ? `Content-Length: ${body.length}\r\n\r\n` : '\r\n'), 'latin1')
      if (body) this.#socket.write(body)
      this.#socket.uncork()
    })
  }

  close(): void {
    this.#settle = undefined
    this.#socket.destroy()
  }

  #read(text: string): void {
    this.#received += text
    const end = this.#received.indexOf(END_OF_HEAD)
    if (end < 0) return
    const head = this.#received.slice(0, end)
    const next = endOfAnswer(this.#received, head, end + END_OF_HEAD.length)
    if (Number.isNaN(next)) this.#fail(new Error(`An answer came without a length: ${head}`))
    if (!(this.#received.length >= next)) return
    this.#received = this.#received.slice(next)
    this.#settle?.resolve({ status: Number(head.slice(9, 12)), head })
  }

  #fail(error: Error): void {
    this.#settle?.reject(error)
    this.#socket.destroy()
  }
}

/** The position where a response ends, which may be beyond the received bytes; `NaN` when nothing indicates it. */
function endOfAnswer(received: string, head: string, body: number): number {
  if (head.startsWith(NO_CONTENT)) return body
  if (headerOf(head, 'Transfer-Encoding') !== 'chunked')
    return body + Number(headerOf(head, 'Content-Length') ?? Number.NaN)
  const last = received.indexOf(LAST_CHUNK, body)
  return last < 0 ? Number.POSITIVE_INFINITY : last + LAST_CHUNK.length
}

/** Returns a header from the head of a response. */
export function headerOf(head: string, name: string): string | undefined {
  return new RegExp(`\r\n${name}: *([^\r]*)`, 'i').exec(head)?.[1]
}
