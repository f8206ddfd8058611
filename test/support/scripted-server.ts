import { once } from 'node:events'
import { type AddressInfo, createServer, type Server, type Socket } from 'node:net'

/** A request exactly as received. */
export interface RecordedRequest {
  /** Request line and header lines, verbatim. */
  readonly head: string
  readonly method: string
  readonly target: string
  /** Names in lower case. */
  readonly headers: Readonly<Record<string, string>>
  readonly body: Buffer
  /** Index of the connection that it came over, counted from 0. */
  readonly connection: number
}

/** A scripted response. Defaults: status 200, no headers except `Content-Length`, no delay. */
export interface Answer {
  status?: number
  headers?: Record<string, string | number>
  body?: string | Buffer
  /** Milliseconds before it is sent. */
  delay?: number
}

/** `drop` cuts the connection, `silence` never responds. */
export type Reply = Answer | 'drop' | 'silence'

/**
 * Responds to a request. `head` responds before the body is read, and returns undefined to leave a request to `reply`.
 */
export interface Script {
  answer(request: RecordedRequest): Reply
  head?(request: RecordedRequest): Reply | undefined
}

/** A fake server on plain TCP: records requests verbatim, and responds according to a script. */
export class ScriptedServer {
  readonly requests: RecordedRequest[] = []
  connections = 0
  readonly #server: Server
  readonly #sockets = new Set<Socket>()
  #isStopping = false
  #script: Script

  private constructor(script: Script) {
    this.#script = script
    this.#server = createServer((socket) => this.#accept(socket))
  }

  static async start(
    script: Script | Script['answer'],
    host = '127.0.0.1',
    port = 0,
  ): Promise<ScriptedServer> {
    const started = new ScriptedServer(typeof script === 'function' ? { answer: script } : script)
    started.#server.listen(port, host)
    await once(started.#server, 'listening')
    return started
  }

  get port(): number {
    const { port } = this.#server.address() as AddressInfo
    return port
  }

  url(path = '/uploads/file.bin'): string {
    return `http://127.0.0.1:${this.port}${path}`
  }

  /** The requests in order: `Create-Session`, `Fragment bytes 0-9/10`, `GET /reply` ... */
  get asked(): string[] {
    return this.requests.map(({ headers, method, target }) => {
      const packet = headers['bits-packet-type']
      if (!packet) return `${method} ${target}`
      return headers['content-range'] ? `${packet} ${headers['content-range']}` : packet
    })
  }

  async stop(): Promise<void> {
    this.#isStopping = true
    const closed = once(this.#server, 'close')
    this.#server.close()
    for (const socket of this.#sockets) socket.destroy()
    await closed
  }

  #accept(socket: Socket): void {
    // A connection that the system accepted before the server closed would stay open.
    if (this.#isStopping) {
      socket.destroy()
      return
    }
    const connection = this.connections++
    this.#sockets.add(socket)
    socket.on('close', () => this.#sockets.delete(socket))
    socket.on('error', () => {})
    let buffer = Buffer.alloc(0)
    let headAnswered = false
    socket.on('data', (data) => {
      // A TLS ClientHello, which this server does not support.
      if (buffer.length === 0 && data[0] === 0x16) {
        socket.destroy()
        return
      }
      buffer = Buffer.concat([buffer, data])
      for (;;) {
        const end = buffer.indexOf('\r\n\r\n')
        if (end < 0) return
        const head = parseHead(buffer.subarray(0, end).toString('latin1'), connection)
        const early = headAnswered ? undefined : this.#script.head?.(head)
        if (early) {
          headAnswered = true
          this.requests.push(head)
          void play(socket, early)
          return
        }
        const length = Number(head.headers['content-length'] ?? 0)
        if (headAnswered || buffer.length < end + 4 + length) return
        const request = { ...head, body: Buffer.from(buffer.subarray(end + 4, end + 4 + length)) }
        buffer = buffer.subarray(end + 4 + length)
        this.requests.push(request)
        void play(socket, this.#script.answer(request))
      }
    })
  }
}

async function play(socket: Socket, reply: Reply): Promise<void> {
  if (reply === 'silence') return
  if (reply === 'drop') {
    socket.destroy()
    return
  }
  if (reply.delay) await new Promise((resolve) => setTimeout(resolve, reply.delay))
  const body = Buffer.from(reply.body ?? '')
  const headers = { 'Content-Length': body.length, ...reply.headers }
  const lines = Object.entries(headers).map(([name, value]) => `${name}: ${value}\r\n`)
  const head = `HTTP/1.1 ${reply.status ?? 200} Scripted\r\n${lines.join('')}\r\n`
  // In a single write, as servers send short responses: the client may then receive all of it at once.
  socket.write(Buffer.concat([Buffer.from(head, 'latin1'), body]))
}

function parseHead(head: string, connection: number): RecordedRequest {
  const [requestLine = '', ...lines] = head.split('\r\n')
  const [method = '', target = ''] = requestLine.split(' ')
  const headers: Record<string, string> = {}
  for (const line of lines) {
    const colon = line.indexOf(':')
    headers[line.slice(0, colon).toLowerCase()] = line.slice(colon + 1).trim()
  }
  return { head, method, target, headers, body: Buffer.alloc(0), connection }
}

export const SESSION_ID = '{A0FF5911-4144-45B3-BF27-27AFC8EC8A67}'

export const ack = (headers: Record<string, string | number> = {}, status = 200): Answer => ({
  status,
  headers: { 'BITS-Packet-Type': 'Ack', ...headers },
})

export const refuse = (status: number, hresult?: string, context = '0x5'): Answer =>
  ack(hresult ? { 'BITS-Error-Code': hresult, 'BITS-Error-Context': context } : {}, status)

/** An Ack of Create-Session as sent by IIS. */
export const created = (headers: Record<string, string | number> = {}): Answer =>
  ack({
    'BITS-Protocol': '{7df0354d-249b-430f-820d-3d2a9bef4931}',
    'BITS-Session-Id': SESSION_ID,
    'Accept-encoding': 'identity',
    ...headers,
  })

/** An Ack of a fragment, with the offset of the next byte. */
export const received = (
  offset: number,
  headers: Record<string, string | number> = {},
  status = 200,
): Answer => ack({ 'BITS-Received-Content-Range': offset, ...headers }, status)

/** The `bytes first-last/total` of a request, or that of an empty file. */
export function rangeOf(request: RecordedRequest): { first: number; last: number; total: number } {
  if (request.headers['content-range'] === 'bytes */0') return { first: 0, last: -1, total: 0 }
  const match = /^bytes (\d+)-(\d+)\/(\d+)$/.exec(request.headers['content-range'] ?? '')
  if (!match) throw new Error(`No Content-Range in ${request.head}`)
  const [first = 0, last = 0, total = 0] = match.slice(1).map(Number)
  return { first, last, total }
}

/** The response of a correct server. */
export function wellBehaved(request: RecordedRequest): Answer {
  switch (request.headers['bits-packet-type']) {
    case 'Create-Session':
      return created()
    case 'Fragment':
      return received(rangeOf(request).last + 1)
    default:
      return ack()
  }
}

/** Behaves correctly, except that packets of one type first get these responses, one by one. */
export function faulty(type: string, ...replies: (Reply | ((request: RecordedRequest) => Reply))[]) {
  const left = [...replies]
  return (request: RecordedRequest): Reply => {
    const next = request.headers['bits-packet-type'] === type ? left.shift() : undefined
    return (typeof next === 'function' ? next(request) : next) ?? wellBehaved(request)
  }
}
