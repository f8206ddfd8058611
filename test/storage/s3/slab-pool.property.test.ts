import { describe, expect, test } from '@jest/globals'
import fc from 'fast-check'
import { BufferBudget } from '../../../lib/storage/s3/buffer-budget.js'
import { GrowingBuffer } from '../../../lib/storage/s3/growing-buffer.js'
import { type Block, blockSizeFor } from '../../../lib/storage/s3/slab.js'
import { SlabPool } from '../../../lib/storage/s3/slab-pool.js'
import { MIB, sample } from './support.js'

const KIB = 1024

/** How an upload uses memory: it takes a block, doubles, gives back or abandons one. */
const step = fc.record({
  kind: fc.constantFrom('take', 'take', 'take', 'double', 'give', 'give', 'abandon'),
  size: fc.integer({ min: 1, max: 20 * MIB }),
  which: fc.nat(1000),
})

describe('blocks of memory', () => {
  test('never overlap, keep their bytes, and are within the limit', () => {
    const property = fc.property(
      fc.integer({ min: 16, max: 70 }),
      fc.array(step, { maxLength: 60 }),
      (max, steps) => {
        const pool = new SlabPool(max * MIB)
        const held: { block: Block; mark: number }[] = []
        const check = ({ block: { memory }, mark }: (typeof held)[number]) =>
          memory[0] === mark && memory[memory.length - 1] === mark
        const note = (block: Block, mark: number) => {
          block.memory[0] = mark
          block.memory[block.memory.length - 1] = mark
          held.push({ block, mark })
        }
        steps.forEach(({ kind, size, which }, mark) => {
          const chosen = held[which % held.length]
          if (kind === 'take') {
            const isFree = pool.used === 0
            const block = pool.take(size)
            if (block) note(block, mark)
            if (block) expect(block.memory.length).toBeGreaterThanOrEqual(size)
            if (isFree) expect(block).toBeDefined()
            if (!isFree) expect(pool.size).toBeLessThanOrEqual(Math.max(max * MIB, blockSizeFor(20 * MIB)))
          } else if (chosen && kind === 'double') {
            const block = pool.double(chosen.block)
            if (block) held.splice(held.indexOf(chosen), 1)
            if (block) expect(block.memory[0]).toBe(chosen.mark)
            if (block) note(block, chosen.mark)
          } else if (chosen) {
            held.splice(held.indexOf(chosen), 1)
            if (kind === 'give') pool.give(chosen.block)
            else pool.abandon(chosen.block)
          }
          expect(held.every(check)).toBe(true)
          expect(pool.used).toBe(held.reduce((sum, { block: { memory } }) => sum + memory.length, 0))
        })
        for (const { block } of held) pool.give(block)
        expect(pool.used).toBe(0)
        // All memory is contiguous again.
        expect(pool.take(16 * MIB)?.memory.length).toBe(16 * MIB)
      },
    )
    fc.assert(property, { numRuns: 15 })
  })

  test('are used again, but not after a request that failed', () => {
    const pool = new SlabPool(16 * MIB)
    const first = pool.take(MIB)
    if (first) pool.give(first)
    const second = pool.take(MIB)
    expect(second?.memory.buffer).toBe(first?.memory.buffer)
    if (second) pool.abandon(second)
    expect(pool.size).toBe(0)
    expect(pool.take(MIB)?.memory.buffer).not.toBe(first?.memory.buffer)
  })

  test('come in sizes that are powers of two', () => {
    expect([0, 1, 65_536, 65_537, 5_000_000].map(blockSizeFor)).toEqual([
      65_536, 65_536, 65_536, 131_072, 8_388_608,
    ])
  })

  test('that grow keep their bytes, and never hold more than their largest size', () => {
    const budget = new BufferBudget(16 * MIB)
    const content = sample(300 * KIB)
    const buffer = new GrowingBuffer(200 * KIB, budget, 'sha256')
    for (let at = 0; !buffer.isFull; ) {
      if (!buffer.hasRoom) expect(buffer.tryGrow()).toBe(true)
      at += buffer.fill(content.subarray(at, at + 7777))
    }
    expect(buffer.bytes.equals(content.subarray(0, 200 * KIB))).toBe(true)
    expect(budget.used).toBe(256 * KIB)
    buffer.release()
    expect(budget.used).toBe(0)
  })
})
