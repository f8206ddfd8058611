import { once } from 'node:events'
import { connect, type Socket } from 'node:net'

/** A response as received, with header names in their original case and order. */
export interface RawAck {
  readonly status: number
  readonly headers: readonly (readonly [name: string, value: string])[]
  /** The value of a header, whose name is matched case-insensitively. */
  header(name: string): string | undefined
  readonly body: Buffer
}

export const PROTOCOL = '{7df0354d-249b-430f-820d-3d2a9bef4931}'

/** A connection to which requests are written byte by byte, and from which Acks are read as they arrive. */
export class RawConnection {
  readonly socket: Socket
  #buffer = Buffer.alloc(0)
  #closed = false
  #wake: () => void = () => {}

  private constructor(socket: Socket) {
    this.socket = socket
    socket.on('data', (chunk: Buffer) => {
      this.#buffer = Buffer.concat([this.#buffer, chunk])
      this.#wake()
    })
    socket.on('error', () => {})
    socket.on('close', () => {
      this.#closed = true
      this.#wake()
    })
  }

  static async open(port: number, host = '127.0.0.1'): Promise<RawConnection> {
    const socket = connect(port, host)
    socket.setNoDelay(true)
    await once(socket, 'connect')
    return new RawConnection(socket)
  }

  write(data: string | Buffer): void {
    this.socket.write(data)
  }

  async exchange(request: string | Buffer): Promise<RawAck> {
    this.write(request)
    return this.ack()
  }

  /** The next response. Rejects when the connection closes first. */
  async ack(): Promise<RawAck> {
    for (;;) {
      const end = this.#buffer.indexOf('\r\n\r\n')
      if (end >= 0) {
        const [statusLine = '', ...lines] = this.#buffer.subarray(0, end).toString('latin1').split('\r\n')
        const headers = lines.map((line) => {
          const colon = line.indexOf(':')
          return [line.slice(0, colon), line.slice(colon + 1).trim()] as const
        })
        const header = (name: string) =>
          headers.find(([known]) => known.toLowerCase() === name.toLowerCase())?.[1]
        const status = Number(statusLine.split(' ')[1])
        const length = status < 200 ? 0 : Number(header('content-length') ?? 0)
        if (this.#buffer.length >= end + 4 + length) {
          const body = this.#buffer.subarray(end + 4, end + 4 + length)
          this.#buffer = this.#buffer.subarray(end + 4 + length)
          return { status, headers, header, body }
        }
      }
      if (this.#closed)
        throw new Error(`The connection closed after ${JSON.stringify(this.#buffer.toString('latin1'))}`)
      await this.#more()
    }
  }

  /** Resolves when the other side has closed the connection. */
  async closed(): Promise<void> {
    while (!this.#closed) await this.#more()
  }

  /** Sends FIN. */
  end(): void {
    this.socket.end()
  }

  /** Sends RST, unless FIN was sent: Node never closes a socket that is reset while its FIN is being sent. */
  reset(): void {
    if (this.socket.writableEnded) this.socket.destroy()
    else this.socket.resetAndDestroy()
  }

  #more(): Promise<void> {
    return new Promise((resolve) => {
      this.#wake = resolve
    })
  }
}

/**
 * A packet with its headers in the order of Windows (protocol.md 6.6). `extra` may override headers or, with
 * `undefined`, omit them.
 */
export function packet(
  type: string,
  path: string,
  extra: Record<string, string | number | undefined> = {},
  body: Buffer = Buffer.alloc(0),
): Buffer {
  const headers: Record<string, string | number | undefined> = {
    Accept: '*/*',
    'BITS-Packet-Type': type,
    'User-Agent': 'Microsoft BITS/7.8',
    Host: '127.0.0.1',
    'Content-Length': body.length,
    Connection: 'Keep-Alive',
    ...extra,
  }
  const lines = Object.entries(headers).flatMap(([name, value]) =>
    value === undefined ? [] : [`${name}: ${value}`],
  )
  return Buffer.concat([
    Buffer.from(`BITS_POST ${path} HTTP/1.1\r\n${lines.join('\r\n')}\r\n\r\n`, 'latin1'),
    body,
  ])
}

export const createSession = (path: string): Buffer =>
  packet('Create-Session', path, { 'BITS-Supported-Protocols': PROTOCOL })

/** A fragment of `file` from `first` to `last`, both inclusive. */
export const fragment = (path: string, id: string, file: Buffer, first = 0, last = file.length - 1): Buffer =>
  packet(
    'Fragment',
    path,
    { 'BITS-Session-Id': id, 'Content-Range': `bytes ${first}-${last}/${file.length}` },
    file.subarray(first, last + 1),
  )

export const closeSession = (path: string, id: string): Buffer =>
  packet('Close-Session', path, { 'BITS-Session-Id': id })

export const cancelSession = (path: string, id: string): Buffer =>
  packet('Cancel-Session', path, { 'BITS-Session-Id': id })

/** Creates a session on a connection. @returns its id. */
export async function openSession(connection: RawConnection, path: string): Promise<string> {
  connection.write(createSession(path))
  const ack = await connection.ack()
  const id = ack.header('BITS-Session-Id')
  if (ack.status !== 200 || id === undefined) throw new Error(`Create-Session was answered ${ack.status}.`)
  return id
}
