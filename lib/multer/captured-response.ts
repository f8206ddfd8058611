import { ServerResponse } from 'node:http'
import { Socket } from 'node:net'
import type { Request, RequestHandler, Response } from 'express'
import { HandlerRefusal } from './refusal.js'

/** Maximum size of a reply in bytes. */
const MAX_CAPTURED_REPLY = 16 * 1024 * 1024

/**
 * Runs a handler with a response that does not go to the client.
 *
 * @returns the body of its response; `undefined` for an empty one, for a redirect, and when the handler calls `next()`.
 * @throws the error passed to `next`, and a {@link HandlerRefusal} for a response with a status of 400 or above.
 */
export function runHandler(
  handler: RequestHandler,
  req: Request,
  signal: AbortSignal,
): Promise<Buffer | undefined> {
  return new Promise((resolve, reject) => {
    const socket = new ResponseSink()
    const res = responseTo(req, socket)
    signal.throwIfAborted()
    signal.addEventListener('abort', () => reject(signal.reason), { once: true })
    socket.once('error', reject)
    res.once('error', reject)
    res.once('close', () => reject(new Error('The handler destroyed its response.')))
    res.once('finish', () => {
      const { statusCode } = res
      // As on a connection, `close` follows.
      socket.destroy()
      if (statusCode >= 400) {
        reject(new HandlerRefusal(statusCode, `The handler responded with ${statusCode}.`, res.getHeaders()))
      } else {
        const body = socket.body
        resolve(statusCode >= 200 && statusCode < 300 && body.length > 0 ? body : undefined)
      }
    })
    const next = (error?: unknown) => {
      if (error && error !== 'route' && error !== 'router') reject(error)
      else resolve(undefined)
    }
    // Handlers may be async: Express 5 passes a rejection to next().
    Promise.resolve(handler(req, res, next)).catch(reject)
  })
}

/** A response with the methods of the app's responses. */
function responseTo(req: Request, socket: ResponseSink): Response {
  const plain: ServerResponse = new ServerResponse(req)
  plain.shouldKeepAlive = false
  // The body is read as it was written, whatever headers a handler sets.
  Object.defineProperty(plain, 'chunkedEncoding', { get: () => false, set: () => {} })
  const noInterim = () => {}
  Object.assign(plain, { writeContinue: noInterim, writeProcessing: noInterim, writeEarlyHints: noInterim })
  const res: Response = Object.setPrototypeOf(plain, Reflect.get(req.app, 'response'))
  Object.assign(res, { req, locals: req.res?.locals ?? {} })
  res.assignSocket(socket)
  return res
}

/** A socket that keeps what is written to it. */
class ResponseSink extends Socket {
  readonly #chunks: Buffer[] = []
  #size = 0

  /** Without the head. */
  get body(): Buffer {
    const all = Buffer.concat(this.#chunks)
    return all.subarray(all.indexOf('\r\n\r\n') + 4)
  }

  override _write(
    chunk: string | Buffer,
    encoding: BufferEncoding,
    done: (error?: Error | null) => void,
  ): void {
    this.#keep(chunk, encoding, done)
  }

  override _writev(
    chunks: { chunk: string | Buffer; encoding: BufferEncoding }[],
    done: (error?: Error | null) => void,
  ): void {
    const parts = chunks.map(({ chunk, encoding }) => chunkBytes(chunk, encoding))
    this.#keep(Buffer.concat(parts), 'binary', done)
  }

  #keep(chunk: string | Buffer, encoding: BufferEncoding, done: (error?: Error | null) => void): void {
    const bytes = chunkBytes(chunk, encoding)
    this.#size += bytes.length
    if (this.#size > MAX_CAPTURED_REPLY) {
      done(new Error(`The handler's response exceeds ${MAX_CAPTURED_REPLY} bytes.`))
    } else {
      this.#chunks.push(Buffer.from(bytes))
      done()
    }
  }
}

const chunkBytes = (chunk: string | Buffer, encoding: BufferEncoding): Buffer =>
  typeof chunk === 'string' ? Buffer.from(chunk, encoding) : chunk
