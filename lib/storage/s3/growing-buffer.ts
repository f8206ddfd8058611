const FIRST_CAPACITY = 64 * 1024

/**
 * Gathers chunks in one piece of memory, whose capacity doubles. Chunks are copied: one may be a few bytes of a large
 * buffer, which it would keep in memory.
 */
export class GrowingBuffer {
  readonly maxSize: number
  #memory = Buffer.alloc(0)
  #length = 0

  constructor(maxSize: number) {
    this.maxSize = maxSize
  }

  get length(): number {
    return this.#length
  }

  get capacity(): number {
    return this.#memory.length
  }

  get isFull(): boolean {
    return this.#length === this.maxSize
  }

  get bytes(): Buffer {
    return this.#memory.subarray(0, this.#length)
  }

  /** The capacity after {@link grow}. */
  get nextCapacity(): number {
    return Math.min(this.maxSize, Math.max(FIRST_CAPACITY, 2 * this.capacity))
  }

  grow(): void {
    const larger = Buffer.allocUnsafeSlow(this.nextCapacity)
    this.#memory.copy(larger, 0, 0, this.#length)
    this.#memory = larger
  }

  /** Copies as much of `chunk` as there is room for. Returns how many bytes that were. */
  fill(chunk: Buffer): number {
    const taken = chunk.copy(this.#memory, this.#length)
    this.#length += taken
    return taken
  }
}
