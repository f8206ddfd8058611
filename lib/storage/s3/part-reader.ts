import type { Readable } from 'node:stream'

/** Reads a stream in pieces of a given size. */
export class PartReader {
  readonly #chunks: AsyncIterator<Buffer>
  #rest: Buffer = Buffer.alloc(0)
  #isOver = false

  constructor(body: Readable) {
    this.#chunks = body[Symbol.asyncIterator]()
  }

  /** Whether the stream has ended, with nothing left to read. */
  get isOver(): boolean {
    return this.#isOver && this.#rest.length === 0
  }

  /** Fills `memory`, or less of it if the stream ends. Returns the number of bytes. Rejects if the stream fails. */
  async read(memory: Buffer): Promise<number> {
    let length = 0
    while (length < memory.length) {
      if (this.#rest.length === 0 && !(await this.#next())) break
      const taken = this.#rest.copy(memory, length)
      this.#rest = this.#rest.subarray(taken)
      length += taken
    }
    return length
  }

  async #next(): Promise<boolean> {
    const { done, value } = await this.#chunks.next()
    if (done) this.#isOver = true
    // A stream in object mode may have strings among its chunks.
    else this.#rest = Buffer.from(value)
    return !this.#isOver
  }
}
