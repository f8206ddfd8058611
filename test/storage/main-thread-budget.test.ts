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
  budget = new MainThreadBudget({ isEnabled: true, now: () => now })
})

test('nothing may run until it is enabled', () => {
  budget = new MainThreadBudget({ now: () => now })
  expect(budget.isLeft).toBe(false)
  budget.isEnabled = true
  expect(budget.isLeft).toBe(true)
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

describe('after a slow call', () => {
  /** Milliseconds after a call of this duration until something may run again. */
  async function pauseAfter(milliseconds: number): Promise<number> {
    spend(milliseconds)
    await nextTurn()
    const start = now
    while (!budget.isLeft) now += 100
    return now - start
  }

  test('nothing runs for five seconds', async () => {
    expect(await pauseAfter(4.9)).toBe(0)
    expect(await pauseAfter(5)).toBe(5_000)
  })

  test('the pause doubles up to five minutes while slow calls recur', async () => {
    const pauses: number[] = []
    for (let n = 0; n < 8; n++) pauses.push(await pauseAfter(5))
    expect(pauses).toEqual([5_000, 10_000, 20_000, 40_000, 80_000, 160_000, 300_000, 300_000])
  })

  test('the pause is short again once calls have been quick for a while', async () => {
    for (let n = 0; n < 3; n++) await pauseAfter(5)
    now += 50_000
    expect(await pauseAfter(5)).toBe(5_000)
  })
})
