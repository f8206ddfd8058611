import type { PgPool } from 'express-bits-upload/postgres'

/** A connection pool that can be suspended, as if its process were. */
export class SuspendablePool implements PgPool {
  readonly #inner: PgPool
  #resumed: Promise<void> | undefined
  #resume: () => void = () => {}

  constructor(inner: PgPool) {
    this.#inner = inner
  }

  query: PgPool['query'] = async (...call) => {
    await this.#resumed
    return this.#inner.query(...call)
  }

  connect: PgPool['connect'] = async () => {
    await this.#resumed
    return this.#inner.connect()
  }

  suspend(): void {
    this.#resumed = new Promise((resolve) => {
      this.#resume = resolve
    })
  }

  resume(): void {
    this.#resume()
    this.#resumed = undefined
  }
}
