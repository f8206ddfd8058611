import { closeSession, fragment, openSession, type RawAck, RawConnection } from './raw.js'

export interface ResumingTarget {
  readonly port: number
  readonly path: string
  readonly file: Buffer
  /** Bytes. */
  readonly fragmentSize: number
  /** Milliseconds to wait for an Ack before it reconnects. Default: no limit, so that a server that hangs is noticed. */
  readonly timeout?: number
}

/** A minimal client that never gives up: it sends what the last Ack requested, and reconnects. */
export class ResumingClient {
  /** Session id; `undefined` before Create-Session was acknowledged. */
  id: string | undefined
  /** The offset in the last Ack. The server must never return a lower one. */
  acknowledged = 0
  isFinished = false
  readonly target: ResumingTarget

  constructor(target: ResumingTarget) {
    this.target = target
  }

  /** Uploads the rest, through broken connections and restarts of the server, and closes the session. */
  async finish(patience = 20_000): Promise<void> {
    const deadline = Date.now() + patience
    for (;;) {
      const error = await this.#continue().catch((reason: unknown) => reason)
      if (error === undefined) return
      if (error instanceof UnexpectedAck || Date.now() > deadline) throw error
      await new Promise((resolve) => setTimeout(resolve, 2))
    }
  }

  /** Continues on a new connection. Rejects when it breaks. */
  async #continue(): Promise<undefined> {
    const { port, path, file, timeout = 0 } = this.target
    const connection = await RawConnection.open(port)
    connection.socket.setTimeout(timeout, () => connection.reset())
    try {
      this.id ??= await openSession(connection, path)
      while (this.acknowledged < file.length) await this.sendNext(connection)
      connection.write(closeSession(path, this.id))
      const ack = await connection.ack()
      if (ack.status !== 200) throw new UnexpectedAck('Close-Session', ack)
      this.isFinished = true
    } finally {
      connection.end()
    }
  }

  /** Sends the fragment that the last Ack requested. */
  async sendNext(connection: RawConnection): Promise<void> {
    connection.write(this.nextFragment())
    this.accept(await connection.ack())
  }

  nextFragment(): Buffer {
    const { path, file, fragmentSize } = this.target
    const last = Math.min(this.acknowledged + fragmentSize, file.length) - 1
    return fragment(path, this.id ?? '', file, this.acknowledged, last)
  }

  /** @throws UnexpectedAck when the server has lost acknowledged bytes, or refuses. */
  accept(ack: RawAck): void {
    const offset = Number(ack.header('BITS-Received-Content-Range') ?? Number.NaN)
    if (ack.status !== 200 && ack.status !== 416) throw new UnexpectedAck('Fragment', ack)
    if (!(offset >= this.acknowledged)) {
      throw new UnexpectedAck(`Fragment from ${this.acknowledged} on`, ack)
    }
    this.acknowledged = offset
  }
}

/** The connection works, but the response is wrong. */
export class UnexpectedAck extends Error {
  constructor(what: string, ack: RawAck) {
    super(`${what} was answered ${ack.status} ${JSON.stringify(ack.headers)}`)
  }
}
