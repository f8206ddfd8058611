import { setTimeout as delay, setImmediate } from 'node:timers/promises'
import { S3Client } from '@aws-sdk/client-s3'
import { describe, expect, test } from '@jest/globals'
import { RequestSlots } from '../../../lib/storage/s3/request-slots.js'
import { Requester } from '../../../lib/storage/s3/requester.js'
import { MIB, never } from './support.js'

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

describe('the time of a request', () => {
  const TIMEOUT = 100
  /** Bytes that the service copies in minutes. */
  const LARGE = { size: 100_000 * MIB }
  const requesterOf = (maxRequests: number) =>
    new Requester(new S3Client({ region: 'us-east-1' }), 'bucket', TIMEOUT, maxRequests)
  const hang = () => new Promise<never>(() => {})

  test('does not begin while it waits for others', async () => {
    const requester = requesterOf(1)
    const long = task()
    const longRequest = requester.request('UploadPartCopy', 'a', long.work, LARGE)
    const waiting = requester.request('PutObject', 'b', async () => 'sent')
    const outcome = Promise.race([waiting.catch(() => 'failed'), delay(3 * TIMEOUT, 'waiting')])
    expect(await outcome).toBe('waiting')
    long.state.end()
    await longRequest
    expect(await waiting).toBe('sent')
  })

  test('is over for those that wait when the service hangs', async () => {
    const requester = requesterOf(1)
    const hanging = requester.request('PutObject', 'a', hang)
    let isSent = false
    const waiting = requester.request('PutObject', 'b', async () => {
      isSent = true
    })
    await expect(hanging).rejects.toMatchObject({ status: 503 })
    await expect(waiting).rejects.toMatchObject({ status: 503 })
    expect(isSent).toBe(false)
    expect(await requester.request('PutObject', 'c', async () => 'sent')).toBe('sent')
  })

  test('is not over for those that wait when only one request hangs', async () => {
    const requester = requesterOf(2)
    const hanging = requester.request('PutObject', 'a', hang)
    const answered = task()
    const answeredRequest = requester.request('UploadPartCopy', 'b', answered.work, LARGE)
    const long = task()
    const longRequest = requester.request('UploadPartCopy', 'c', long.work, LARGE)
    const waiting = requester.request('PutObject', 'd', async () => 'sent')
    answered.state.end()
    await answeredRequest
    await expect(hanging).rejects.toMatchObject({ status: 503 })
    expect(await waiting).toBe('sent')
    long.state.end()
    await longRequest
  })
})
