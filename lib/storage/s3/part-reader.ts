import type { Readable } from 'node:stream'
import type { BufferPool } from './buffer-pool.js'
import { GrowingBuffer } from './growing-buffer.js'

/** Reads a stream in pieces of a given size. */
export class PartReader {
  readonly #chunks: AsyncIterator<Buffer>
  readonly #pool: BufferPool
  #rest: Buffer = Buffer.alloc(0)
  #isOver = false

  constructor(body: Readable, pool: BufferPool) {
    this.#pool = pool
    this.#chunks = body[Symbol.asyncIterator]()
  }

  /** Whether the stream has ended, with nothing left to read. */
  get isOver(): boolean {
    return this.#isOver && this.#rest.length === 0
  }

  /** Reads `size` bytes, or fewer when the stream ends. Rejects when it fails. */
  async read(size: number): Promise<GrowingBuffer> {
    const part = new GrowingBuffer(size, this.#pool)
    while (!part.isFull) {
      if (this.#rest.length === 0 && !(await this.#next())) break
      if (!part.hasRoom) part.grow()
      this.#rest = this.#rest.subarray(part.fill(this.#rest))
    }
    return part
  }

  async #next(): Promise<boolean> {
    const { done, value } = await this.#chunks.next()
    if (done) this.#isOver = true
    // A stream in object mode may have strings among its chunks.
    else this.#rest = Buffer.from(value)
    return !this.#isOver
  }
}
