import type { BufferBudget } from './buffer-budget.js'
import { Md5 } from './md5.js'
import type { Block } from './slab.js'

/**
 * Gathers chunks in one piece of memory, which is doubled when it is full. Chunks are copied: one may be a few bytes of a
 * large buffer, which it would keep in memory.
 */
export class GrowingBuffer {
  readonly maxSize: number
  readonly #budget: BufferBudget
  #block: Block | undefined
  #length = 0
  #md5 = new Md5()

  constructor(maxSize: number, budget: BufferBudget) {
    this.maxSize = maxSize
    this.#budget = budget
  }

  get length(): number {
    return this.#length
  }

  /** Whether bytes can be added without {@link tryGrow}. */
  get hasRoom(): boolean {
    return this.#length < Math.min(this.#block?.memory.length ?? 0, this.maxSize)
  }

  get isFull(): boolean {
    return this.#length === this.maxSize
  }

  get bytes(): Buffer {
    return this.#block?.memory.subarray(0, this.#length) ?? Buffer.alloc(0)
  }

  /**
   * The MD5 of the bytes, in base64; `undefined` in FIPS modes. It is computed while they arrive: 16 MiB at once would stop
   * the event loop for some 25 ms. Call it once, when all bytes are there.
   */
  takeMd5(): string | undefined {
    return this.#md5.digest()
  }

  /** Returns false when there is no memory for more. */
  tryGrow(): boolean {
    const block = this.#block ? this.#budget.tryDouble(this.#block) : this.#budget.tryTake(1)
    if (block) this.#block = block
    return block !== undefined
  }

  /** Waits for the first memory. Rejects with the signal's reason when it aborts. */
  async waitForMemory(signal: AbortSignal): Promise<void> {
    this.#block = await this.#budget.take(1, signal)
  }

  /** Copies as much of `chunk` as fits. Returns the number of bytes. */
  fill(chunk: Buffer): number {
    if (!this.#block) return 0
    const taken = chunk.copy(this.#block.memory, this.#length, 0, this.maxSize - this.#length)
    this.#length += taken
    this.#md5.update(taken < chunk.length ? chunk.subarray(0, taken) : chunk)
    return taken
  }

  /** Returns the memory. {@link bytes} must no longer be used. */
  release(): void {
    this.#reset((block) => this.#budget.give(block))
  }

  /** The same after a failed request, which may still be reading {@link bytes}. */
  abandon(): void {
    this.#reset((block) => this.#budget.abandon(block))
  }

  #reset(giveBack: (block: Block) => void): void {
    const block = this.#block
    this.#block = undefined
    this.#length = 0
    if (block) giveBack(block)
  }
}
