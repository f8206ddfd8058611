import { type Piece, sizeOf, totalSize } from './cover.js'

/** A part of a multipart upload: a range of one segment, which the service copies, or pieces joined in memory. */
export type Part =
  | { readonly kind: 'copy'; readonly piece: Piece }
  | { readonly kind: 'join'; readonly pieces: readonly Piece[] }

/** Limits of the service. */
export interface PartLimits {
  /** Minimum size in bytes of a part that is not the last. */
  readonly minPartSize: number
  /** Maximum number of parts of a multipart upload. */
  readonly maxParts: number
}

export const S3_LIMITS: PartLimits = { minPartSize: 5 * 1024 * 1024, maxParts: 10_000 }

/**
 * Plans parts that the service mostly copies by itself. Segments too small for a part are joined in memory with as many
 * of the following bytes as needed; a joined part has fewer than twice `minPartSize` bytes.
 */
export function planParts(pieces: readonly Piece[], minPartSize: number): Part[] {
  const parts: Part[] = []
  let small: Piece[] = []
  let needed = minPartSize
  const flush = () => {
    const [first] = small
    if (first)
      parts.push(small.length === 1 ? { kind: 'copy', piece: first } : { kind: 'join', pieces: small })
    small = []
    needed = minPartSize
  }
  for (const piece of pieces) {
    if (small.length === 0 && sizeOf(piece) >= minPartSize) {
      parts.push({ kind: 'copy', piece })
    } else if (sizeOf(piece) - needed >= minPartSize) {
      const middle = piece.from + needed
      small.push({ ...piece, to: middle })
      flush()
      parts.push({ kind: 'copy', piece: { ...piece, from: middle } })
    } else {
      small.push(piece)
      needed -= sizeOf(piece)
      if (needed <= 0) flush()
    }
  }
  flush()
  return parts
}

/** Plans parts of equal size, except the last. The service copies none of them. */
export function planEqualParts(pieces: readonly Piece[], partSize: number): Part[] {
  const parts: Piece[][] = []
  let left = 0
  for (const piece of pieces) {
    for (let from = piece.from; from < piece.to; ) {
      if (left === 0) {
        parts.push([])
        left = partSize
      }
      const to = Math.min(piece.to, from + left)
      parts.at(-1)?.push({ ...piece, from, to })
      left -= to - from
      from = to
    }
  }
  return parts.map((joined) => ({ kind: 'join', pieces: joined }))
}

/** Splits more parts than a multipart upload can have into groups, each of which first becomes one object. */
export function groupParts(parts: readonly Part[], maxParts: number): Part[][] {
  const size = Math.ceil(parts.length / maxParts)
  const groups: Part[][] = []
  for (let at = 0; at < parts.length; at += size) groups.push(parts.slice(at, at + size))
  return groups
}

export const piecesOf = (part: Part): readonly Piece[] => (part.kind === 'copy' ? [part.piece] : part.pieces)

export const partSizeOf = (part: Part): number => totalSize(piecesOf(part))
