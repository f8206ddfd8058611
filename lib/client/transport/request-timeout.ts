import { BitsClientError, type RequestKind } from '../../uploader/client-error.js'

/**
 * The timers of MC-BUP 3.1.2, one to send and one to receive the response, never both at once; and the caller's
 * signal. The first of them to fire ends the request.
 *
 * Node's `request.destroy()` is not enough for that: a request that waits in the queue of its agent has no socket to
 * destroy, and emits nothing.
 */
export class RequestTimeout {
  readonly #kind: RequestKind
  readonly #controller = new AbortController()
  readonly #unlink: () => void
  #timer: NodeJS.Timeout | undefined
  #ended = false

  constructor(kind: RequestKind, caller: AbortSignal | undefined) {
    this.#kind = kind
    const abort = (): void => this.#controller.abort(caller?.reason)
    this.#unlink = () => caller?.removeEventListener('abort', abort)
    if (caller?.aborted) abort()
    else caller?.addEventListener('abort', abort, { once: true })
  }

  /** Aborts when time runs out, with a BitsClientError as its reason, or with the caller's signal. */
  get signal(): AbortSignal {
    return this.#controller.signal
  }

  /** @param what the server must do within this time, for the message. */
  start(what: string, milliseconds: number): void {
    if (this.#ended) return
    clearTimeout(this.#timer)
    this.#timer = setTimeout(() => {
      const message = `The server did not ${what} (${this.#kind}) within ${milliseconds} ms.`
      this.#controller.abort(new BitsClientError(message, { packet: this.#kind }))
    }, milliseconds)
  }

  refresh(): void {
    this.#timer?.refresh()
  }

  end(): void {
    this.#ended = true
    clearTimeout(this.#timer)
    this.#unlink()
  }
}
