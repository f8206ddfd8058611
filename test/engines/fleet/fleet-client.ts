import { setTimeout as delay } from 'node:timers/promises'
import { closeSession, createSession, fragment, type RawAck, RawConnection } from '../../support/raw.js'

export interface FleetUpload {
  /** Below the root of the servers. */
  readonly name: string
  readonly file: Buffer
  readonly fragmentSize: number
}

/** Milliseconds. */
const RETRY_DELAY = 100
const LONGEST_WAIT = 60_000

/**
 * Uploads a file as Windows does, with shorter delays. A request that fails or gets no response in time is repeated,
 * possibly to another server.
 */
export class FleetClient {
  readonly #port: number
  readonly #firstWait: number
  readonly #signal: AbortSignal
  #connection: RawConnection | undefined
  retries = 0

  /**
   * @param firstWait milliseconds to wait for an answer; doubled after each consecutive failure.
   * @param signal makes the upload fail.
   */
  constructor(port: number, firstWait: number, signal: AbortSignal) {
    this.#port = port
    this.#firstWait = firstWait
    this.#signal = signal
  }

  /** @throws Error when the server has lost acknowledged bytes, or refuses the upload. */
  async upload({ name, file, fragmentSize }: FleetUpload): Promise<void> {
    const path = `/${name}`
    const created = await this.#ask('Create-Session', createSession(path))
    const id = created.header('BITS-Session-Id') ?? ''
    let acknowledged = 0
    while (acknowledged < file.length) {
      const last = Math.min(acknowledged + fragmentSize, file.length) - 1
      const request = fragment(path, id, file, acknowledged, last)
      const offset = await this.#ask(`Fragment of ${name}`, request, acknowledged)
      acknowledged = offsetOf(offset) ?? acknowledged
    }
    await this.#ask(`Close-Session of ${name}`, closeSession(path, id))
    this.#connection?.end()
    this.#connection = undefined
  }

  /** @param acknowledged the minimum offset of a valid response. */
  async #ask(what: string, request: Buffer, acknowledged = 0): Promise<RawAck> {
    for (let wait = this.#firstWait; ; wait = Math.min(LONGEST_WAIT, wait * 2)) {
      this.#signal.throwIfAborted()
      const ack = await this.#try(request, wait)
      const offset = ack && offsetOf(ack)
      if (ack && offset !== undefined && offset < acknowledged)
        throw new Error(`${what} from ${acknowledged} on was answered ${describeAck(ack)}`)
      if (ack && (ack.status === 200 || ack.status === 416)) return ack
      if (ack && !mayPass(ack)) throw new Error(`${what} was answered ${describeAck(ack)}`)
      this.retries++
      await delay(RETRY_DELAY)
    }
  }

  /** @returns `undefined` when the connection breaks, or after `wait` milliseconds. */
  async #try(request: Buffer, wait: number): Promise<RawAck | undefined> {
    const timer = setTimeout(() => this.#connection?.reset(), wait)
    try {
      this.#connection ??= await RawConnection.open(this.#port)
      const ack = await this.#connection.exchange(request)
      if (ack.header('Connection')?.toLowerCase() === 'close') this.#drop()
      return ack
    } catch {
      this.#drop()
      return undefined
    } finally {
      clearTimeout(timer)
    }
  }

  #drop(): void {
    this.#connection?.reset()
    this.#connection = undefined
  }
}

function offsetOf(ack: RawAck): number | undefined {
  const text = ack.header('BITS-Received-Content-Range')
  return text === undefined ? undefined : Number(text)
}

/** Errors after which Windows retries: those of nginx, and 5xx errors that do not concern the session. */
const mayPass = (ack: RawAck): boolean => ack.status >= 500 && ack.header('BITS-Error-Code') !== '0x8020001F'

const describeAck = (ack: RawAck): string => `${ack.status} ${JSON.stringify(ack.headers)}`
