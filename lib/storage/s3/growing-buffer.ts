import { type BodyHash, BodyHasher, type HashAlgorithm } from './body-hash.js'
import type { BufferBudget } from './buffer-budget.js'
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
  readonly #hasher: BodyHasher

  constructor(maxSize: number, budget: BufferBudget, hashAlgorithm: HashAlgorithm) {
    this.maxSize = maxSize
    this.#budget = budget
    this.#hasher = new BodyHasher(hashAlgorithm)
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

  /** The hash of the bytes. Call it once, when all of them are there. */
  takeHash(): BodyHash | undefined {
    return this.#hasher.digest()
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
    this.#hasher.update(taken < chunk.length ? chunk.subarray(0, taken) : chunk)
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
