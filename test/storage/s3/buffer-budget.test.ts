import { setImmediate } from 'node:timers/promises'
import { describe, expect, test } from '@jest/globals'
import { BufferBudget } from '../../../lib/storage/s3/buffer-budget.js'

describe('memory for uploads', () => {
  test('is not given beyond its limit', () => {
    const budget = new BufferBudget(100)
    expect(budget.tryTake(60)).toBe(true)
    expect(budget.tryTake(41)).toBe(false)
    expect(budget.tryTake(40)).toBe(true)
    budget.give(100)
    expect(budget.used).toBe(0)
  })

  test('is granted in the order of the requests, and none overtakes waiting ones', async () => {
    const budget = new BufferBudget(100)
    budget.tryTake(90)
    const order: string[] = []
    const large = budget.take(50).then(() => order.push('large'))
    const small = budget.take(5).then(() => order.push('small'))
    await setImmediate()
    expect(order).toEqual([])
    expect(budget.tryTake(5)).toBe(false)
    budget.give(90)
    await Promise.all([large, small])
    expect(order).toEqual(['large', 'small'])
    expect(budget.used).toBe(55)
  })

  test('is granted completely to a request for more', async () => {
    const budget = new BufferBudget(100)
    expect(await budget.take(1000)).toBe(100)
  })

  test('goes to the next request when one stops waiting', async () => {
    const budget = new BufferBudget(100)
    budget.tryTake(60)
    const stop = new AbortController()
    const first = budget.take(80, stop.signal)
    const second = budget.take(40)
    stop.abort(new Error('gone'))
    await expect(first).rejects.toThrow('gone')
    expect(await second).toBe(40)
    await expect(budget.take(1000, AbortSignal.abort(new Error('too late')))).rejects.toThrow('too late')
    expect(budget.used).toBe(100)
  })

  test('is requested back from its holders, oldest first, if others wait', async () => {
    const budget = new BufferBudget(100)
    const asked: string[] = []
    const holders = ['a', 'b', 'c'].map((name) => {
      budget.tryTake(30)
      return budget.holding(() => asked.push(name))
    })
    holders[0]?.()
    const waiting = budget.take(50)
    expect(asked).toEqual(['b'])
    budget.give(30)
    expect(asked).toEqual(['b', 'c'])
    budget.give(30)
    expect(await waiting).toBe(50)
    expect(asked).toEqual(['b', 'c'])
  })
})
