import { MIB } from '../../util/bytes.js'
import { type Block, blockSizeFor, Slab } from './slab.js'

/** Bytes of a slab, unless less memory is left. */
const SLAB_SIZE = 16 * MIB

/**
 * Blocks of memory, out of slabs that are kept. The garbage collector would free large buffers so late that a busy
 * process had two or three times the memory that it uses.
 */
export class SlabPool {
  readonly max: number
  readonly #slabs = new Set<Slab>()
  /** Slabs with a block that must not be used again, while their other blocks are in use. */
  readonly #retired = new Set<Slab>()
  #size = 0

  constructor(max: number) {
    this.max = max
  }

  /** Bytes of all slabs. */
  get size(): number {
    return this.#size
  }

  /** Bytes of all blocks in use. */
  get used(): number {
    return [...this.#slabs, ...this.#retired].reduce((sum, { used }) => sum + used, 0)
  }

  /** @returns at least `bytes` bytes; `undefined` when there is no such block. */
  take(bytes: number): Block | undefined {
    const size = blockSizeFor(bytes)
    if (size <= SLAB_SIZE) {
      for (let whole = size; whole <= SLAB_SIZE; whole *= 2) {
        for (const slab of this.#slabs) {
          const block = slab.take(size, whole)
          if (block) return block
        }
      }
    }
    const slab = this.#addSlab(size)
    return slab?.take(size, slab.size)
  }

  /** @returns a block with the bytes of a smaller one, which it replaces; `undefined` when there is none. */
  double(block: Block): Block | undefined {
    const doubled = block.slab.double(block)
    if (doubled) return doubled
    const larger = this.take(2 * block.memory.length)
    if (!larger) return undefined
    block.memory.copy(larger.memory)
    this.give(block)
    return larger
  }

  give(block: Block): void {
    const { slab } = block
    slab.give(block)
    if (slab.used > 0) return
    if (this.#retired.has(slab) || slab.size > SLAB_SIZE) this.#drop(slab)
  }

  /** Gives back a block that a failed request may still be reading, so that its memory is not used again. */
  abandon(block: Block): void {
    if (this.#slabs.delete(block.slab)) this.#retired.add(block.slab)
    this.give(block)
  }

  #addSlab(size: number): Slab | undefined {
    if (!this.#makeRoom(size)) return undefined
    const slab = new Slab(this.#slabSizeFor(size))
    this.#slabs.add(slab)
    this.#size += slab.size
    return slab
  }

  /** The largest slab that there is memory for. */
  #slabSizeFor(size: number): number {
    let larger = size
    while (2 * larger <= Math.min(SLAB_SIZE, this.max - this.#size)) larger *= 2
    return larger
  }

  /** Drops unused slabs that are too small. A block above the limit is possible when there is no other. */
  #makeRoom(size: number): boolean {
    if (this.#size + size > this.max) {
      const unused = [...this.#slabs].filter((slab) => slab.used === 0 && slab.size < size)
      const free = this.max - this.#size + unused.reduce((sum, slab) => sum + slab.size, 0)
      if (free < size && this.used > 0) return false
      for (const slab of unused) this.#drop(slab)
    }
    return true
  }

  #drop(slab: Slab): void {
    this.#slabs.delete(slab)
    this.#retired.delete(slab)
    this.#size -= slab.size
  }
}
