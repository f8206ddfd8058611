import { createHash } from 'node:crypto'

/** Bytes that differ at each position, so that misplaced ones are noticed; the same at each call. */
export function bytes(length: number): Buffer {
  const blocks: Buffer[] = []
  for (let n = 0; n * 64 < length; n++) blocks.push(createHash('sha512').update(String(n)).digest())
  return Buffer.concat(blocks).subarray(0, length)
}
