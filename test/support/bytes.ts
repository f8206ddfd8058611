/** Bytes that differ from place to place, so that what is misplaced shows; the same at each call. */
export function bytes(length: number): Buffer {
  const buffer = Buffer.alloc(length)
  let state = 0x9e3779b9
  for (let n = 0; n < length; n++) {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0
    buffer[n] = state >>> 24
  }
  return buffer
}
