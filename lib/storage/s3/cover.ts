import type { Segment } from './keys.js'

/** Bytes `from` to `to` (exclusive) of an upload, to be taken from a segment that may hold more. */
export interface Piece {
  readonly segment: Segment
  readonly from: number
  readonly to: number
}

/** What the segments contain together. */
export interface Cover {
  /** Adjacent pieces from the start to {@link end}. */
  readonly pieces: readonly Piece[]
  /** Where the first gap begins. */
  readonly end: number
  /** The highest end of all segments; above {@link end} if there is a gap. */
  readonly highest: number
}

/** Covers an upload from `start` with as few segments as possible, up to the first gap or the end. */
export function coverOf(segments: readonly Segment[], start = 0): Cover {
  const byStart = [...segments].sort((a, b) => a.start - b.start)
  const pieces: Piece[] = []
  let end = start
  let index = 0
  for (;;) {
    let furthest: Segment | undefined
    for (let next = byStart[index]; next && next.start <= end; next = byStart[++index]) {
      if (next.end > (furthest?.end ?? end)) furthest = next
    }
    if (!furthest) break
    pieces.push({ segment: furthest, from: end, to: furthest.end })
    end = furthest.end
  }
  return { pieces, end, highest: segments.reduce((most, segment) => Math.max(most, segment.end), start) }
}

export const sizeOf = ({ from, to }: Piece): number => to - from

export const totalSize = (pieces: readonly Piece[]): number =>
  pieces.reduce((sum, piece) => sum + sizeOf(piece), 0)
