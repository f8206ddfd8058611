import { describe, expect, test } from '@jest/globals'
import { BufferBudget } from '../../../lib/storage/s3/buffer-budget.js'
import { BufferPool, bufferSizeFor } from '../../../lib/storage/s3/buffer-pool.js'
import { GrowingBuffer } from '../../../lib/storage/s3/growing-buffer.js'
import { sample } from './support.js'

const KIB = 1024

describe('buffers', () => {
  test('are reused, in the requested size', () => {
    const pool = new BufferPool(() => 1000 * KIB)
    const buffer = pool.get(128 * KIB)
    pool.put(buffer)
    expect(pool.get(64 * KIB)).not.toBe(buffer)
    expect(pool.get(128 * KIB)).toBe(buffer)
    expect(pool.get(128 * KIB)).not.toBe(buffer)
  })

  test('are kept only within the free memory for uploads', () => {
    const budget = new BufferBudget(512 * KIB)
    const { pool } = budget
    budget.tryTake(512 * KIB)
    const buffers = [64, 64, 128, 256].map((size) => pool.get(size * KIB))
    budget.give(256 * KIB)
    for (const buffer of buffers) pool.put(buffer)
    expect(pool.freeBytes).toBeLessThanOrEqual(256 * KIB)
    budget.tryTake(256 * KIB)
    pool.get(256 * KIB)
    expect(pool.freeBytes).toBe(0)
  })

  test('have sizes that are powers of two', () => {
    expect([0, 1, 65_536, 65_537, 5_000_000].map(bufferSizeFor)).toEqual([
      65_536, 65_536, 65_536, 131_072, 8_388_608,
    ])
  })

  test('that grow keep their bytes, and never exceed their largest size', () => {
    const pool = new BufferPool(() => 10_000 * KIB)
    const content = sample(300 * KIB)
    const buffer = new GrowingBuffer(200 * KIB, pool)
    for (let at = 0; !buffer.isFull; ) {
      if (buffer.length === buffer.capacity) buffer.grow()
      at += buffer.fill(content.subarray(at, at + 7777))
    }
    expect(buffer.bytes.equals(content.subarray(0, 200 * KIB))).toBe(true)
    expect(buffer.capacity).toBe(256 * KIB)
  })
})
