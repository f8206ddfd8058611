import { beforeEach, describe, expect, test } from '@jest/globals'
import { ProgressBook } from '../../lib/sessions/progress.js'

const MB = 1_000_000

describe('the progress of a session', () => {
  let now: number
  let book: ProgressBook

  beforeEach(() => {
    now = 1000
    book = new ProgressBook(() => now)
  })

  const noteAt = (at: number, received: number) => {
    now = at
    return book.note('a', received)
  }

  test('is unknown before anything was noted, and after it was forgotten', () => {
    expect(book.get('a')).toBeUndefined()
    book.note('a', 5)
    expect(book.get('a')).toMatchObject({ received: 5 })
    book.forget('a')
    expect(book.get('a')).toBeUndefined()
  })

  test('has no rate at the first note', () => {
    expect(book.note('a', 5 * MB).rate).toBe(0)
  })

  test('has the rate at which bytes come', () => {
    noteAt(1000, 0)
    expect(noteAt(1500, MB).rate).toBeCloseTo(2 * MB)
    for (let n = 2; n <= 20; n++) noteAt(1000 + n * 500, n * MB)
    expect(book.get('a')?.rate).toBeCloseTo(2 * MB)
  })

  test('follows a change of the rate within seconds, and does not jump', () => {
    noteAt(0, 0)
    noteAt(1000, MB)
    const soon = noteAt(1500, 6 * MB).rate
    expect(soon).toBeGreaterThan(2 * MB)
    expect(soon).toBeLessThan(9 * MB)
    for (let n = 1; n <= 20; n++) noteAt(1500 + n * 500, 6 * MB + n * 5 * MB)
    expect(book.get('a')?.rate).toBeGreaterThan(9.5 * MB)
  })

  test('is 0 again when nothing has come for a while', () => {
    noteAt(0, 0)
    noteAt(1000, MB)
    now = 6000
    expect(book.get('a')?.rate).toBeGreaterThan(0)
    now = 6001
    expect(book.get('a')).toEqual({ received: MB, rate: 0 })
  })

  test('is never negative, nor infinite, whatever the clock and the offsets do', () => {
    noteAt(1000, 10 * MB)
    for (const [at, received] of [
      [1000, 20 * MB],
      [900, 30 * MB],
      [2000, 5 * MB],
      [2001, 5 * MB],
    ] as const) {
      const { rate } = noteAt(at, received)
      expect(rate).toBeGreaterThanOrEqual(0)
      expect(Number.isFinite(rate)).toBe(true)
      expect(book.get('a')?.received).toBe(received)
    }
  })

  test('is each session’s own', () => {
    book.note('a', 1)
    book.note('b', 2)
    book.forget('a')
    expect(book.get('b')).toMatchObject({ received: 2 })
  })
})
