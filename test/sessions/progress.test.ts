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

  test('is unknown before anything was recorded, and after it was discarded', () => {
    expect(book.get('a')).toBeUndefined()
    book.note('a', 5)
    expect(book.get('a')).toMatchObject({ received: 5 })
    book.forget('a')
    expect(book.get('a')).toBeUndefined()
  })

  test('has no rate at the first record', () => {
    expect(book.note('a', 5 * MB).rate).toBe(0)
  })

  test('has the rate at which bytes arrive', () => {
    noteAt(1000, 0)
    expect(noteAt(1500, MB).rate).toBeCloseTo(2 * MB)
    for (let n = 2; n <= 20; n++) noteAt(1000 + n * 500, n * MB)
    expect(book.get('a')?.rate).toBeCloseTo(2 * MB)
  })

  test('of small fragments has the rate at which they arrive, pauses included, from the first on', () => {
    for (let n = 0; n < 10; n++) {
      const rates = [noteAt(n * 1000, n * 40_000).rate, noteAt(n * 1000 + 1, (n + 1) * 40_000).rate]
      for (const rate of rates) expect(rate).toBeCloseTo(n === 0 ? 0 : 40_000)
    }
  })

  test('of small fragments far apart also has that rate', () => {
    for (let n = 0; n < 10; n++) {
      noteAt(n * 60_000, n * 40_000)
      expect(noteAt(n * 60_000 + 1, (n + 1) * 40_000).rate).toBeLessThan(700)
    }
  })

  test.each([
    ['10 ms', 10],
    ['half a millisecond, which no clock shows', 0.5],
  ])('of a fragment every %s has that rate, and never a higher one', (_name, interval) => {
    const expected = (40_000 / interval) * 1000
    const rates: { at: number; rate: number }[] = []
    for (let n = 0; n * interval < 3000; n++) {
      const at = Math.floor(n * interval)
      for (const received of [n * 40_000, (n + 1) * 40_000])
        rates.push({ at, rate: noteAt(at, received).rate })
    }
    expect(Math.max(...rates.map(({ rate }) => rate))).toBeLessThan(expected * 1.05)
    const later = rates.filter(({ at }) => at > 300)
    expect(Math.min(...later.map(({ rate }) => rate))).toBeGreaterThan(expected * 0.95)
  })

  test('of large fragments over a slow connection is measured within the first fragment', () => {
    const size = 13 * MB
    const speed = MB / 10
    let start = 0
    for (let n = 0; n < 3; n++) {
      noteAt(start, n * size)
      const duration = (size / speed) * 1000
      // The timer may be late.
      for (let after = 500; after < duration; after += 500) {
        const elapsed = after - (after % 3)
        const { rate } = noteAt(start + elapsed, n * size + (elapsed / 1000) * speed)
        expect(rate / speed).toBeCloseTo(1)
      }
      start += duration
      expect(noteAt(start, (n + 1) * size).rate / speed).toBeCloseTo(1)
    }
  })

  test('is still measured after the clock is set back', () => {
    noteAt(3_600_000, 0)
    noteAt(3_601_000, MB)
    noteAt(1000, 2 * MB)
    for (let n = 1; n <= 10; n++) noteAt(1000 + n * 1000, 2 * MB + n * 5 * MB)
    expect(book.get('a')?.rate).toBeGreaterThan(4.5 * MB)
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

  test('has the rate 0 after a while without bytes', () => {
    noteAt(0, 0)
    noteAt(1000, MB)
    now = 6000
    expect(book.get('a')?.rate).toBeGreaterThan(0)
    now = 6001
    expect(book.get('a')).toMatchObject({ received: MB, rate: 0 })
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

  test('is separate for each session', () => {
    book.note('a', 1)
    book.note('b', 2)
    book.forget('a')
    expect(book.get('b')).toMatchObject({ received: 2 })
  })
})
