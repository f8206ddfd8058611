import { setImmediate as nextTurn } from 'node:timers/promises'
import { beforeEach, describe, expect, test } from '@jest/globals'
import { MainThreadBudget } from '../../lib/util/main-thread-budget.js'

let now: number
let budget: MainThreadBudget

/** Runs a call that takes `milliseconds`. */
const spend = (milliseconds: number): void =>
  budget.run(() => {
    now += milliseconds
  })

beforeEach(() => {
  now = 1_000_000
  budget = new MainThreadBudget(() => now)
})

test('returns the result of a call, and throws its error', () => {
  expect(budget.run(() => 5)).toBe(5)
  const error = new Error('failed')
  expect(() =>
    budget.run(() => {
      throw error
    }),
  ).toThrow(error)
})

describe('one turn of the event loop', () => {
  test('gets two milliseconds, and the next one as many again', async () => {
    for (let n = 0; n < 7; n++) {
      expect(budget.isLeft).toBe(true)
      spend(0.3)
    }
    expect(budget.isLeft).toBe(false)
    await Promise.resolve()
    expect(budget.isLeft).toBe(false)
    await nextTurn()
    expect(budget.isLeft).toBe(true)
    spend(1.9)
    expect(budget.isLeft).toBe(true)
    spend(0.2)
    expect(budget.isLeft).toBe(false)
  })

  test('ends ten milliseconds after its first call, however short the calls are', async () => {
    now += 1_000
    spend(0.1)
    now += 9.8
    expect(budget.isLeft).toBe(true)
    spend(0.1)
    expect(budget.isLeft).toBe(false)
    await nextTurn()
    expect(budget.isLeft).toBe(true)
  })

  test('counts calls that fail', () => {
    for (let n = 0; n < 2; n++) {
      expect(() =>
        budget.run(() => {
          now += 1
          throw new Error('ENOENT')
        }),
      ).toThrow('ENOENT')
    }
    expect(budget.isLeft).toBe(false)
  })
})

describe('slow calls', () => {
  /** Milliseconds after a call of this duration until something may run again. */
  async function pauseAfter(milliseconds: number): Promise<number> {
    spend(milliseconds)
    await nextTurn()
    const start = now
    while (!budget.isLeft) now += 100
    return now - start
  }

  test('do not matter if they are rare', async () => {
    for (let n = 0; n < 20; n++) {
      expect(await pauseAfter(5)).toBe(0)
      now += 500
    }
  })

  test('are followed by a pause of a hundred times their duration, less a burst of 50 milliseconds', async () => {
    expect(await pauseAfter(50)).toBe(0)
    now += 5_000
    expect(await pauseAfter(51)).toBe(100)
    now += 5_000
    expect(await pauseAfter(250)).toBe(20_000)
    // The pause is over when 50 milliseconds are left to settle, and the next call takes 250 of them.
    expect(await pauseAfter(250)).toBe(24_800)
  })

  test('take one percent of the time if they recur', async () => {
    const start = now
    let slow = 0
    for (let n = 0; n < 1_000; n++) {
      await pauseAfter(7)
      slow += 7
    }
    expect(slow / (now - start)).toBeCloseTo(0.01, 3)
  })

  test('do not include those below five milliseconds, which are many', async () => {
    for (let n = 0; n < 1_000; n++) expect(await pauseAfter(4.9)).toBe(0)
  })
})
