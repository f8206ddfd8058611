import type { Socket } from 'node:net'
import type { Request, RequestHandler, Response } from 'express'

/** Bytes of a body that must arrive per `--idle-timeout`: with a byte now and then, a request could last for months. */
const MIN_PROGRESS = 1024

/** Checks per timeout. */
const LOOKS = 4

interface Watched {
  readonly req: Request
  readonly res: Response
  readonly socket: Socket
  /** Bytes that had been received and sent when the client last made progress. */
  received: number
  sent: number
  since: number
}

/**
 * Ends requests whose client has stalled, neither sending the rest of its body nor reading the response: each holds a
 * connection and a file. Received bytes are kept, and the client continues from there. A request that waits for the
 * server itself, a slow disk or an application for example, is left alone.
 */
export class StalledRequests {
  readonly #timeout: number
  readonly #onEnd: (req: Request) => void
  readonly #watched = new Set<Watched>()
  readonly #timer: NodeJS.Timeout

  /**
   * @param timeout seconds without progress.
   * @param onEnd called for each request that is ended.
   */
  constructor(timeout: number, onEnd: (req: Request) => void = () => {}) {
    this.#timeout = timeout * 1000
    this.#onEnd = onEnd
    this.#timer = setInterval(() => this.#look(), this.#timeout / LOOKS)
    this.#timer.unref()
  }

  /** Must come before everything that reads a body. */
  readonly middleware: RequestHandler = (req, res, next) => {
    const { socket } = req
    const watched = {
      req,
      res,
      socket,
      received: socket.bytesRead,
      sent: sentBy(socket),
      since: performance.now(),
    }
    this.#watched.add(watched)
    res.on('close', () => {
      if (isOver(watched)) this.#watched.delete(watched)
    })
    next()
  }

  close(): void {
    clearInterval(this.#timer)
  }

  #look(): void {
    const now = performance.now()
    for (const watched of this.#watched) {
      if (isOver(watched)) this.#watched.delete(watched)
      else if (hasProgress(watched)) {
        watched.received = watched.socket.bytesRead
        watched.sent = sentBy(watched.socket)
        watched.since = now
      } else if (now - watched.since >= this.#timeout) {
        this.#watched.delete(watched)
        this.#onEnd(watched.req)
        watched.socket.destroy()
      }
    }
  }
}

/** The body may still be arriving after the response has ended. */
const isOver = ({ req, res, socket }: Watched): boolean => socket.destroyed || (res.closed && req.complete)

/** Also true when the server has not read what arrived, or has nothing to send yet. */
function hasProgress({ req, res, socket, received, sent }: Watched): boolean {
  const waitsForBody = !req.complete && req.readableLength === 0
  if (waitsForBody) return socket.bytesRead - received >= MIN_PROGRESS
  const waitsForReader = res.writableLength > 0
  return !waitsForReader || sentBy(socket) > sent
}

/** Bytes handed to the operating system. */
const sentBy = (socket: Socket): number => socket.bytesWritten - socket.writableLength
