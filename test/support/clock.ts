import { jest } from '@jest/globals'

/** Only Date is fake: sockets, timers and the disk work as usual. */
const REAL = [
  'hrtime',
  'nextTick',
  'performance',
  'queueMicrotask',
  'setImmediate',
  'clearImmediate',
  'setInterval',
  'clearInterval',
  'setTimeout',
  'clearTimeout',
] as const

/** A Date that only {@link advance} changes. Restore the real one with `release()`. */
export class Clock {
  constructor() {
    jest.useFakeTimers({ doNotFake: [...REAL], now: Date.now() })
  }

  /** @param seconds to add to Date. */
  advance(seconds: number): void {
    jest.setSystemTime(Date.now() + seconds * 1000)
  }

  release(): void {
    jest.useRealTimers()
  }
}
