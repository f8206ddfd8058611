import { jest } from '@jest/globals'

/** Everything but Date stays real: sockets, timers and the disk go on as ever. */
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

/** A Date that moves only when it is told to. Give it back with `release()`. */
export class Clock {
  constructor() {
    jest.useFakeTimers({ doNotFake: [...REAL], now: Date.now() })
  }

  /** @param seconds how far Date goes on. */
  advance(seconds: number): void {
    jest.setSystemTime(Date.now() + seconds * 1000)
  }

  release(): void {
    jest.useRealTimers()
  }
}
