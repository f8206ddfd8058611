import { type BufferPool, bufferSizeFor } from './buffer-pool.js'

/**
 * Gathers chunks in one piece of memory, whose capacity doubles. Chunks are copied: one may be a few bytes of a large
 * buffer, which it would keep in memory.
 */
export class GrowingBuffer {
  readonly maxSize: number
  readonly #pool: BufferPool
  #memory: Buffer = Buffer.alloc(0)
  #length = 0

  constructor(maxSize: number, pool: BufferPool) {
    this.maxSize = maxSize
    this.#pool = pool
  }

  get length(): number {
    return this.#length
  }

  get capacity(): number {
    return this.#memory.length
  }

  /** Whether bytes can be added without {@link grow}. */
  get hasRoom(): boolean {
    return this.#length < Math.min(this.capacity, this.maxSize)
  }

  get isFull(): boolean {
    return this.#length === this.maxSize
  }

  get bytes(): Buffer {
    return this.#memory.subarray(0, this.#length)
  }

  /** The capacity after {@link grow}. */
  get nextCapacity(): number {
    return bufferSizeFor(Math.min(this.maxSize, this.capacity + 1))
  }

  grow(): void {
    const smaller = this.#memory
    this.#memory = this.#pool.get(this.nextCapacity)
    smaller.copy(this.#memory, 0, 0, this.#length)
    if (smaller.length > 0) this.#pool.put(smaller)
  }

  /** Copies as much of `chunk` as fits. Returns the number of bytes. */
  fill(chunk: Buffer): number {
    const taken = chunk.copy(this.#memory, this.#length, 0, this.maxSize - this.#length)
    this.#length += taken
    return taken
  }

  /** Returns the memory. {@link bytes} must no longer be used. */
  recycle(): void {
    if (this.#memory.length > 0) this.#pool.put(this.#memory)
    this.#memory = Buffer.alloc(0)
    this.#length = 0
  }
}
