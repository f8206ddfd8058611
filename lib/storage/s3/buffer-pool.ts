/** Bytes of the smallest buffer. The others have this size times a power of two. */
const SMALLEST = 64 * 1024

/**
 * Reuses large buffers: the garbage collector frees them late, so a busy process would need twice the memory that it
 * uses.
 */
export class BufferPool {
  readonly #free = new Map<number, Buffer[]>()
  readonly #maxFree: () => number
  #freeBytes = 0

  /** @param maxFree the bytes that may be kept free now. */
  constructor(maxFree: () => number) {
    this.#maxFree = maxFree
  }

  get freeBytes(): number {
    return this.#freeBytes
  }

  /** @param size what {@link bufferSizeFor} returns. */
  get(size: number): Buffer {
    const buffer = this.#free.get(size)?.pop()
    if (buffer) this.#freeBytes -= size
    this.#trim()
    return buffer ?? Buffer.allocUnsafeSlow(size)
  }

  /** Takes back a buffer that is no longer in use. */
  put(buffer: Buffer): void {
    const { length } = buffer
    const free = this.#free.get(length)
    if (free) free.push(buffer)
    else this.#free.set(length, [buffer])
    this.#freeBytes += length
    this.#trim()
  }

  /** Leaves free buffers to the garbage collector until no more than may be kept. */
  #trim(): void {
    const max = this.#maxFree()
    for (const [size, buffers] of this.#free) {
      while (this.#freeBytes > max && buffers.pop()) this.#freeBytes -= size
    }
  }
}

/** The size of a buffer that holds `bytes`. */
export function bufferSizeFor(bytes: number): number {
  let size = SMALLEST
  while (size < bytes) size *= 2
  return size
}
