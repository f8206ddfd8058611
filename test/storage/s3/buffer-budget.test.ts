import { setImmediate } from 'node:timers/promises'
import { describe, expect, test } from '@jest/globals'
import { BufferBudget } from '../../../lib/storage/s3/buffer-budget.js'
import type { Block } from '../../../lib/storage/s3/slab.js'

const KIB = 1024

/** Takes blocks that must be available. */
const taken = (budget: BufferBudget, ...sizes: number[]): Block[] =>
  sizes.map((size) => {
    const block = budget.tryTake(size * KIB)
    if (!block) throw new Error(`There are no ${size} KiB.`)
    return block
  })

const sizeOf = ({ memory }: Block): number => memory.length / KIB

describe('memory for uploads', () => {
  test('is not granted beyond its limit', () => {
    const budget = new BufferBudget(256 * KIB)
    const blocks = taken(budget, 128, 64)
    expect(budget.tryTake(65 * KIB)).toBeUndefined()
    blocks.push(...taken(budget, 64))
    expect(budget.used).toBe(256 * KIB)
    for (const block of blocks) budget.give(block)
    expect(budget.used).toBe(0)
  })

  test('is granted in the order of the requests, and none overtakes waiting ones', async () => {
    const budget = new BufferBudget(256 * KIB)
    const blocks = taken(budget, 128, 64)
    const order: string[] = []
    const large = budget.take(128 * KIB).then(() => order.push('large'))
    const small = budget.take(64 * KIB).then(() => order.push('small'))
    await setImmediate()
    expect(order).toEqual([])
    expect(budget.tryTake(64 * KIB)).toBeUndefined()
    for (const block of blocks) budget.give(block)
    await Promise.all([large, small])
    expect(order).toEqual(['large', 'small'])
    expect(budget.used).toBe(192 * KIB)
  })

  test('is granted beyond its limit only to a request that needs more, when no other has memory', async () => {
    const budget = new BufferBudget(128 * KIB)
    const blocks = taken(budget, 64)
    const large = budget.take(1000 * KIB)
    const next = budget.take(64 * KIB)
    await setImmediate()
    expect(budget.used).toBe(64 * KIB)
    for (const block of blocks) budget.give(block)
    const block = await large
    expect([sizeOf(block), budget.used]).toEqual([1024, 1024 * KIB])
    budget.give(block)
    expect(sizeOf(await next)).toBe(64)
  })

  test('goes to the next request when one stops waiting', async () => {
    const budget = new BufferBudget(128 * KIB)
    taken(budget, 64)
    const stop = new AbortController()
    const first = budget.take(128 * KIB, stop.signal)
    const second = budget.take(64 * KIB)
    stop.abort(new Error('gone'))
    await expect(first).rejects.toThrow('gone')
    expect(sizeOf(await second)).toBe(64)
    const late = budget.take(1000 * KIB, AbortSignal.abort(new Error('too late')))
    await expect(late).rejects.toThrow('too late')
    expect(budget.used).toBe(128 * KIB)
  })

  test('is requested back from its holders, oldest first, if others wait', async () => {
    const budget = new BufferBudget(256 * KIB)
    const asked: string[] = []
    const blocks = taken(budget, 128, 64, 64)
    const withdraw = ['a', 'b', 'c'].map((name) => budget.holding(() => asked.push(name)))
    withdraw[0]?.()
    const waiting = budget.take(256 * KIB)
    expect(asked).toEqual(['b'])
    for (const block of blocks) budget.give(block)
    expect(sizeOf(await waiting)).toBe(256)
    expect(asked).toEqual(['b', 'c'])
  })
})
