import type { RedisConnection } from 'express-bits-upload/redis'

/** A connection that can be suspended, as if its process were. */
export class SuspendableConnection implements RedisConnection {
  readonly #inner: RedisConnection
  #resumed: Promise<void> | undefined
  #resume: () => void = () => {}

  constructor(inner: RedisConnection) {
    this.#inner = inner
  }

  run: RedisConnection['run'] = async (...call) => {
    await this.#resumed
    return this.#inner.run(...call)
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
