/** Bytes of the smallest block. The others have this size times a power of two. */
const SMALLEST_BLOCK = 64 * 1024

/** The size of a block that holds `bytes`. */
export function blockSizeFor(bytes: number): number {
  let size = SMALLEST_BLOCK
  while (size < bytes) size *= 2
  return size
}

/** Memory that was taken from a slab. */
export interface Block {
  readonly slab: Slab
  readonly offset: number
  readonly memory: Buffer
}

/**
 * One piece of memory, out of which blocks are given. It is halved until a block fits, and the halves are joined again
 * when both are free.
 */
export class Slab {
  readonly size: number
  readonly #memory: Buffer
  /** Offsets of the free blocks of each size. */
  readonly #free = new Map<number, Set<number>>()
  #used = 0

  /** @param size what {@link blockSizeFor} returns. */
  constructor(size: number) {
    this.size = size
    this.#memory = Buffer.allocUnsafeSlow(size)
    this.#freeOf(size).add(0)
  }

  get used(): number {
    return this.#used
  }

  hasFree(size: number): boolean {
    return this.#freeOf(size).size > 0
  }

  /** @returns `undefined` unless a free block has `whole` bytes, of which the first `size` are taken. */
  take(size: number, whole: number): Block | undefined {
    const [offset] = this.#freeOf(whole)
    if (offset === undefined) return undefined
    this.#freeOf(whole).delete(offset)
    for (let half = whole / 2; half >= size; half /= 2) this.#freeOf(half).add(offset + half)
    this.#used += size
    return this.#block(offset, size)
  }

  /** Doubles a block where it lies. @returns `undefined` when the memory behind it is not free. */
  double({ offset, memory: { length: size } }: Block): Block | undefined {
    if (offset % (2 * size) !== 0 || !this.#freeOf(size).delete(offset + size)) return undefined
    this.#used += size
    return this.#block(offset, 2 * size)
  }

  give(block: Block): void {
    let { offset } = block
    let size = block.memory.length
    this.#used -= size
    while (size < this.size && this.#freeOf(size).delete(offset ^ size)) {
      offset -= offset & size
      size *= 2
    }
    this.#freeOf(size).add(offset)
  }

  #block(offset: number, size: number): Block {
    return { slab: this, offset, memory: this.#memory.subarray(offset, offset + size) }
  }

  #freeOf(size: number): Set<number> {
    const known = this.#free.get(size)
    if (known) return known
    const offsets = new Set<number>()
    this.#free.set(size, offsets)
    return offsets
  }
}
