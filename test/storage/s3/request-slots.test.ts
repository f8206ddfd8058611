import { setImmediate } from 'node:timers/promises'
import { describe, expect, test } from '@jest/globals'
import { RequestSlots } from '../../../lib/storage/s3/request-slots.js'
import { never } from './support.js'

/** Work that runs until `end` is called. */
function task() {
  const state = { isRunning: false, end: () => {} }
  const work = () =>
    new Promise<void>((resolve) => {
      state.isRunning = true
      state.end = resolve
    })
  return { state, work }
}

describe('requests at a time', () => {
  test('are limited, and begin in order', async () => {
    const slots = new RequestSlots(2)
    const tasks = Array.from({ length: 4 }, task)
    const runs = tasks.map(({ work }) => slots.run(work, never))
    const running = () => tasks.map(({ state }) => state.isRunning)
    await setImmediate()
    expect(running()).toEqual([true, true, false, false])
    tasks[1]?.state.end()
    await runs[1]
    await setImmediate()
    expect(running()).toEqual([true, true, true, false])
    tasks[0]?.state.end()
    await setImmediate()
    for (const { state } of tasks) state.end()
    await Promise.all(runs)
  })

  test('keep their place after a failure, and after an abort that the work ignores', async () => {
    const slots = new RequestSlots(1)
    await expect(slots.run(() => Promise.reject(new Error('refused')), never)).rejects.toThrow('refused')
    const stop = new AbortController()
    const ignoring = task()
    void slots.run(ignoring.work, stop.signal)
    const cancelled = new AbortController()
    const waiting = slots.run(() => Promise.resolve('never'), cancelled.signal)
    cancelled.abort(new Error('gave up'))
    await expect(waiting).rejects.toThrow('gave up')
    const next = slots.run(() => Promise.resolve('next'), never)
    stop.abort()
    expect(await next).toBe('next')
    ignoring.state.end()
    await setImmediate()
    // The late end did not free the slot again.
    const one = task()
    const other = task()
    void slots.run(one.work, never)
    void slots.run(other.work, never)
    await setImmediate()
    expect([one.state.isRunning, other.state.isRunning]).toEqual([true, false])
    one.state.end()
    await setImmediate()
    other.state.end()
  })
})
