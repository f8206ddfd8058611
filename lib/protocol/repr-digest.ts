import type { FileDigest } from '../../types/digest.js'

/** The header of RFC 9530 that carries checksums of a whole file. */
export const REPR_DIGEST = 'Repr-Digest'

/** The weaker first: its name in RFC 9530, and its length in bytes. */
export const DIGEST_ALGORITHMS: readonly [
  algorithm: FileDigest['algorithm'],
  name: string,
  length: number,
][] = [
  ['sha256', 'sha-256', 32],
  ['sha512', 'sha-512', 64],
]

/** A `Repr-Digest`, the weakest algorithm first. */
export const formatReprDigest = (digests: readonly FileDigest[]): string =>
  DIGEST_ALGORITHMS.flatMap(([algorithm, name]) =>
    digests
      .filter((digest) => digest.algorithm === algorithm)
      .map(({ value }) => `${name}=:${Buffer.from(value, 'hex').toString('base64')}:`),
  ).join(', ')
