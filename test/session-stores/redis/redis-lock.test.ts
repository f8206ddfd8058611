import { setImmediate } from 'node:timers/promises'
import { afterEach, beforeEach, expect, test } from '@jest/globals'
import type { LockOptions } from 'express-bits-upload'
import { redisLock } from 'express-bits-upload/redis'
import { PlainEngine, PlainSessionStore } from '../../testing/plain-session-store.js'

let engine: PlainEngine
let stores: PlainSessionStore[]
beforeEach(() => {
  engine = new PlainEngine()
  stores = [new PlainSessionStore(engine), new PlainSessionStore(engine)]
})
afterEach(() => Promise.all(stores.map((store) => store.close())))

const lockOf = (n: number, timeout?: number) =>
  redisLock(storeOf(n), timeout === undefined ? {} : { timeout })

/** Only the method `lock`, typed as in `RedisSessionStore`. */
const storeOf = (n: number) => ({
  lock: async (key: string, options: LockOptions) => stores[n]?.lock(key, options),
})

test('two servers never work on one key at the same time', async () => {
  let working = 0
  const work = async () => {
    expect(++working).toBe(1)
    for (let turn = 0; turn < 5; turn++) await setImmediate()
    working--
  }
  const [one, other] = [lockOf(0), lockOf(1)]
  await Promise.all(Array.from({ length: 6 }, (_, n) => (n % 2 ? one : other)('inbox/a.bin', work)))
})

test('different keys do not wait for each other, however long they are', async () => {
  const [one, other] = [lockOf(0, 0), lockOf(1, 0)]
  const result = await one('漢'.repeat(300), () => other('another', async () => 'both'))
  expect(result).toBe('both')
})

test('if the lock is not available in time, nothing is done and the client must try again', async () => {
  const [one, other] = [lockOf(0), lockOf(1, 0)]
  await one('a.bin', async () => {
    const refused = other('a.bin', async () => {
      throw new Error('It was done.')
    })
    await expect(refused).rejects.toMatchObject({ code: 'session-busy', status: 503 })
  })
})

test('work that fails releases the lock, and its error is passed on', async () => {
  const [one, other] = [lockOf(0), lockOf(1, 0)]
  await expect(one('a.bin', () => Promise.reject(new Error('EIO')))).rejects.toThrow('EIO')
  expect(await other('a.bin', async () => 'done')).toBe('done')
})

test('the result counts even if the lock cannot be released', async () => {
  const lock = redisLock({ lock: async () => () => Promise.reject(new Error('Redis is gone.')) })
  expect(await lock('a.bin', async () => 'done')).toBe('done')
})
