import { createHash, type Hash } from 'node:crypto'
import type { FileDigest } from '../../types/digest.js'

type Algorithm = FileDigest['algorithm']

/** Computes the checksums of a file incrementally. */
export class FileHash {
  /** Bytes that were hashed. */
  length = 0
  readonly #hashes: ReadonlyMap<Algorithm, Hash>

  constructor(algorithms: readonly Algorithm[]) {
    this.#hashes = new Map(algorithms.map((algorithm) => [algorithm, createHash(algorithm)]))
  }

  hasAll(algorithms: readonly Algorithm[]): boolean {
    return algorithms.every((algorithm) => this.#hashes.has(algorithm))
  }

  update(bytes: Uint8Array): void {
    for (const hash of this.#hashes.values()) hash.update(bytes)
    this.length += bytes.length
  }

  /** The checksums of the bytes so far; more may follow. */
  digests(): FileDigest[] {
    return [...this.#hashes].map(([algorithm, hash]) => ({ algorithm, value: hash.copy().digest('hex') }))
  }
}
