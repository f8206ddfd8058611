import type { EventEmitter } from 'node:events'
import { createServer, type IncomingMessage, type RequestListener, type ServerOptions } from 'node:http'
import { Duplex } from 'node:stream'

/** A connection whose pieces reach the server exactly as cut here, which TCP does not guarantee. */
class PiecewiseSocket extends Duplex {
  readonly written: Buffer[] = []

  override _read(): void {}

  override _write(chunk: Buffer, _encoding: BufferEncoding, done: () => void): void {
    this.written.push(chunk)
    done()
  }

  override _destroy(_error: Error | null, done: () => void): void {
    done()
  }
}

export interface Received {
  method: string | undefined
  url: string | undefined
  headers: string[]
  body: Buffer
}

export type Server = ReturnType<typeof createServer>

/** A server that never listens, and records what it receives. {@link exchange} passes connections to it. */
export function recordingServer(options: ServerOptions = {}): { server: Server; received: Received[] } {
  const received: Received[] = []
  const answer: RequestListener = (req, res) => {
    const arrived: Received = {
      method: req.method,
      url: req.url,
      headers: req.rawHeaders,
      body: Buffer.alloc(0),
    }
    received.push(arrived)
    readBody(req).then(
      (body) => {
        arrived.body = body
        res.end(`${req.method} ${req.url} ${body.length}\n`)
      },
      () => res.destroy(),
    )
  }
  return { server: createServer(options, answer), received }
}

export async function readBody(req: IncomingMessage): Promise<Buffer> {
  const chunks: Buffer[] = []
  for await (const chunk of req) chunks.push(chunk)
  return Buffer.concat(chunks)
}

/** Sends the pieces one after the other, then the end. Returns everything that the server wrote, without dates. */
export async function exchange(server: EventEmitter, pieces: readonly Buffer[]): Promise<string> {
  const socket = new PiecewiseSocket()
  socket.on('error', () => {})
  server.emit('connection', socket)
  for (const piece of pieces) {
    if (socket.destroyed) break
    // A copy, because the reader of a real socket owns its buffers and may write to them.
    if (piece.length > 0) socket.push(Buffer.from(piece))
    await turn()
  }
  await turns(4)
  if (!socket.destroyed) socket.push(null)
  await turns(2)
  socket.destroy()
  return Buffer.concat(socket.written)
    .toString('latin1')
    .replace(/^Date: .*\r\n/gm, '')
}

const turn = () => new Promise<void>((resolve) => setImmediate(resolve))

export async function turns(count: number): Promise<void> {
  for (let i = 0; i < count; i++) await turn()
}

/** Cuts `bytes` at these positions, which may be out of range and in any order. */
export function cut(bytes: Buffer, places: readonly number[]): Buffer[] {
  const sorted = [...new Set(places.map((place) => place % bytes.length))].sort((a, b) => a - b)
  return [...sorted, bytes.length].map((end, i) => bytes.subarray(i === 0 ? 0 : sorted[i - 1], end))
}

export const everyByte = (bytes: Buffer): Buffer[] => [...bytes].map((byte) => Buffer.from([byte]))
