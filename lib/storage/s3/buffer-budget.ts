import type { Block } from './slab.js'
import { SlabPool } from './slab-pool.js'

interface Waiter {
  readonly bytes: number
  readonly proceed: (block: Block) => void
}

/**
 * Memory for the bytes of all uploads, up to a limit. Requests for memory are served in order. An upload that waits must
 * hold none, so that no two can wait for each other.
 */
export class BufferBudget {
  readonly #pool: SlabPool
  readonly #waiting: Waiter[] = []
  readonly #holders = new Set<() => void>()

  constructor(max: number) {
    this.#pool = new SlabPool(max)
  }

  /** Bytes of all blocks in use. */
  get used(): number {
    return this.#pool.used
  }

  get isContended(): boolean {
    return this.#waiting.length > 0
  }

  /** @returns a block of at least `bytes` bytes, if one is free and no one is waiting. */
  tryTake(bytes: number): Block | undefined {
    return this.isContended ? undefined : this.#pool.take(bytes)
  }

  /** @returns a block with the bytes of `block`, which it replaces, if one is free and no one is waiting. */
  tryDouble(block: Block): Block | undefined {
    return this.isContended ? undefined : this.#pool.double(block)
  }

  /**
   * Waits for a block of at least `bytes` bytes. A block above the limit is available only while no other is in use.
   *
   * @returns the block, to be released later. Rejects with the signal's reason when it aborts.
   */
  async take(bytes: number, signal?: AbortSignal): Promise<Block> {
    const free = this.tryTake(bytes)
    if (free) return free
    return new Promise<Block>((resolve, reject) => {
      signal?.throwIfAborted()
      const giveUp = () => {
        this.#waiting.splice(this.#waiting.indexOf(waiter), 1)
        this.#serve()
        reject(signal?.reason)
      }
      const waiter: Waiter = {
        bytes,
        proceed: (block) => {
          signal?.removeEventListener('abort', giveUp)
          resolve(block)
        },
      }
      signal?.addEventListener('abort', giveUp, { once: true })
      this.#waiting.push(waiter)
      this.#relieve()
    })
  }

  give(block: Block): void {
    this.#pool.give(block)
    this.#serve()
    if (this.isContended) this.#relieve()
  }

  /** Gives back a block whose request failed: it may still be reading the memory, which is not used again. */
  abandon(block: Block): void {
    this.#pool.abandon(block)
    this.#serve()
    if (this.isContended) this.#relieve()
  }

  /**
   * Registers memory that can be freed early, by writing what it holds. When others wait, the oldest is called first.
   *
   * @returns withdraws the registration.
   */
  holding(release: () => void): () => void {
    this.#holders.add(release)
    return () => void this.#holders.delete(release)
  }

  #serve(): void {
    for (let next = this.#waiting[0]; next; next = this.#waiting[0]) {
      const block = this.#pool.take(next.bytes)
      if (!block) return
      this.#waiting.shift()
      next.proceed(block)
    }
  }

  #relieve(): void {
    const [oldest] = this.#holders
    if (!oldest) return
    this.#holders.delete(oldest)
    oldest()
  }
}
