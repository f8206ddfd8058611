import { setImmediate as turn } from 'node:timers/promises'
import { expect, test } from '@jest/globals'
import type { LockOptions } from 'express-bits-upload'
import fc from 'fast-check'
import { PreemptedError, SessionLocks } from '../../lib/sessions/session-lock.js'

async function turns(count = 5): Promise<void> {
  for (let n = 0; n < count; n++) await turn()
}

test('a session that is not in use can be locked immediately', async () => {
  const locks = new SessionLocks()
  const lease = await locks.acquire('a')
  expect(lease.signal.aborted).toBe(false)
  await lease.release()
  await (await locks.acquire('a')).release()
})

test('a newer request preempts the older one, and waits until it has ended', async () => {
  const locks = new SessionLocks()
  const older = await locks.acquire('a')
  let got = false
  const newer = locks.acquire('a').then((lease) => {
    got = true
    return lease
  })
  expect(older.signal.aborted).toBe(true)
  await turns()
  expect(got).toBe(false)
  await older.release()
  expect((await newer).signal.aborted).toBe(false)
})

test('of several waiting requests only the newest gets its turn', async () => {
  const locks = new SessionLocks()
  const first = await locks.acquire('a')
  const waiting = [1, 2, 3].map(() => locks.acquire('a'))
  const outcomes = Promise.allSettled(waiting)
  await turns()
  await first.release()
  const [second, third, fourth] = await outcomes
  expect(second).toMatchObject({ status: 'rejected', reason: expect.any(PreemptedError) })
  expect(third).toMatchObject({ status: 'rejected', reason: expect.any(PreemptedError) })
  expect(fourth).toMatchObject({ status: 'fulfilled' })
})

test('a request that stopped waiting does not let others in before the current one has ended', async () => {
  const locks = new SessionLocks()
  const first = await locks.acquire('a')
  const second = locks.acquire('a').catch((error: unknown) => error)
  let got = false
  const third = locks.acquire('a').then((lease) => {
    got = true
    return lease
  })
  await turns()
  expect(got).toBe(false)
  await first.release()
  expect(await second).toBeInstanceOf(PreemptedError)
  await (await third).release()
})

test('sessions do not wait for each other', async () => {
  const locks = new SessionLocks()
  const a = await locks.acquire('a')
  const b = await locks.acquire('b')
  expect(a.signal.aborted || b.signal.aborted).toBe(false)
})

test('the sweep gets a session only if it is not in use, and interrupts nothing', async () => {
  const locks = new SessionLocks()
  const lease = await locks.acquire('a')
  expect(await locks.tryAcquire('a')).toBeUndefined()
  expect(lease.signal.aborted).toBe(false)
  await lease.release()
  const swept = await locks.tryAcquire('a')
  expect(swept).toBeDefined()
  const packet = locks.acquire('a')
  await swept?.release()
  await (await packet).release()
})

test('a lease may be released twice, and an old one does not affect a newer one', async () => {
  const locks = new SessionLocks()
  const first = await locks.acquire('a')
  const second = locks.acquire('a')
  await first.release()
  const lease = await second
  await first.release()
  expect(await locks.tryAcquire('a')).toBeUndefined()
  await lease.release()
  expect(await locks.tryAcquire('a')).toBeDefined()
})

test('two requests never hold one session, and in the end none does', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(fc.nat(6), { minLength: 1, maxLength: 20 }), async (pauses) => {
      const locks = new SessionLocks()
      let working = 0
      let last = -1
      const requests = pauses.map(async (pause, n) => {
        await turns(pause)
        const lease = await locks.acquire('a')
        expect(++working).toBe(1)
        last = n
        await turns(pause)
        working--
        await lease.release()
      })
      const outcomes = await Promise.allSettled(requests)
      for (const outcome of outcomes) {
        if (outcome.status === 'rejected') expect(outcome.reason).toBeInstanceOf(PreemptedError)
      }
      // The last request was not rejected.
      const longest = Math.max(...pauses)
      expect(last).toBe(pauses.lastIndexOf(longest))
      expect(await locks.tryAcquire('a')).toBeDefined()
    }),
  )
})

/** A lock shared by several processes: it has at most one holder among all its instances. */
class SharedLock {
  holders = 0
  tries = 0
  request: LockOptions['onReleaseRequested'] = () => {}
  isHeldElsewhere = false
  failure: Error | undefined

  lock = async (_key: string, { onReleaseRequested }: LockOptions) => {
    this.tries++
    await turn()
    if (this.failure) throw this.failure
    if (this.isHeldElsewhere) return undefined
    this.holders++
    this.request = onReleaseRequested
    return async () => {
      await turn()
      this.holders--
    }
  }
}

test('a store’s lock is held as long as the lease, and released with it', async () => {
  const store = new SharedLock()
  const locks = new SessionLocks(store)
  const lease = await locks.acquire('a')
  expect(store.holders).toBe(1)
  await lease.release()
  expect(store.holders).toBe(0)
})

test('another process that wants the session preempts the current request', async () => {
  const store = new SharedLock()
  const lease = await new SessionLocks(store).acquire('a')
  expect(lease.signal.aborted).toBe(false)
  store.request('wanted')
  expect(lease.signal.aborted).toBe(true)
  expect(lease.lost.aborted).toBe(false)
  await lease.release()
})

test('a lease whose lock is lost reports it, whether or not a listener is attached', async () => {
  const store = new SharedLock()
  const locks = new SessionLocks(store)
  const watched = await locks.acquire('a')
  const { lost } = watched
  expect(lost.aborted).toBe(false)
  store.request('lost')
  expect(lost.aborted).toBe(true)
  expect(lost.reason).toMatchObject({ code: 'session-busy' })
  expect(watched.signal.aborted).toBe(true)
  await watched.release()
  const unwatched = await locks.acquire('a')
  store.request('lost')
  expect(unwatched.lost.aborted).toBe(true)
  await unwatched.release()
})

test('requests on one connection wait their turn, in order', async () => {
  const locks = new SessionLocks()
  const connection = {}
  const first = await locks.acquire('a', { connection })
  const order: number[] = []
  const later = [2, 3, 4].map(async (n) => {
    const lease = await locks.acquire('a', { connection })
    order.push(n)
    await turns()
    await lease.release()
  })
  await turns()
  expect(first.signal.aborted).toBe(false)
  expect(order).toEqual([])
  await first.release()
  await Promise.all(later)
  expect(order).toEqual([2, 3, 4])
})

test('a request on another connection preempts all that were pipelined on the older one', async () => {
  const locks = new SessionLocks()
  const [older, newer] = [{}, {}]
  const first = await locks.acquire('a', { connection: older })
  const waiting = Promise.allSettled([1, 2].map(() => locks.acquire('a', { connection: older })))
  await turns()
  const taken = locks.acquire('a', { connection: newer })
  expect(first.signal.aborted).toBe(true)
  await first.release()
  for (const outcome of await waiting) {
    expect(outcome).toMatchObject({ status: 'rejected', reason: expect.any(PreemptedError) })
  }
  expect((await taken).signal.aborted).toBe(false)
})

test('a session that another process holds is busy, and can be locked later', async () => {
  const store = new SharedLock()
  const locks = new SessionLocks(store)
  store.isHeldElsewhere = true
  await expect(locks.acquire('a')).rejects.toMatchObject({ code: 'session-busy' })
  expect(await locks.tryAcquire('a')).toBeUndefined()
  store.isHeldElsewhere = false
  const lease = await locks.acquire('a')
  await lease.release()
  expect(store.holders).toBe(0)
})

test('a lock that cannot be acquired reports the reason, not a busy session', async () => {
  const store = new SharedLock()
  const locks = new SessionLocks(store)
  store.failure = new Error('EACCES: permission denied')
  await expect(locks.acquire('a')).rejects.toBe(store.failure)
  // Otherwise the sweep would silently skip such a session forever.
  await expect(locks.tryAcquire('a')).rejects.toBe(store.failure)
  store.failure = undefined
  await (await locks.acquire('a')).release()
})

test('a lock may be released by a synchronous function', async () => {
  const locks: SessionLocks = Reflect.construct(SessionLocks, [{ lock: async () => () => {} }])
  await (await locks.acquire('a')).release()
  await (await locks.acquire('a')).release()
})

test('preempted requests leave no lock behind', async () => {
  const store = new SharedLock()
  const locks = new SessionLocks(store)
  const requests = Array.from({ length: 20 }, async (_, n) => {
    await turns(n % 4)
    const lease = await locks.acquire('a')
    expect(store.holders).toBe(1)
    await turns(2)
    await lease.release()
  })
  const outcomes = await Promise.allSettled(requests)
  for (const outcome of outcomes) {
    if (outcome.status === 'rejected') expect(outcome.reason).toBeInstanceOf(PreemptedError)
  }
  expect(store.holders).toBe(0)
  expect(await locks.tryAcquire('a')).toBeDefined()
})

test('a request stops waiting for another process when a newer one arrives or its client disconnects', async () => {
  const waiting = new Set<AbortSignal>()
  const lock = (_key: string, { signal }: LockOptions) =>
    new Promise<never>((_resolve, reject) => {
      if (!signal) return reject(new Error('There is no signal.'))
      waiting.add(signal)
      signal.addEventListener('abort', () => {
        waiting.delete(signal)
        reject(signal.reason)
      })
    })
  const locks = new SessionLocks({ lock })
  const older = locks.acquire('a', { disconnected: new AbortController().signal })
  await turns()
  expect(waiting.size).toBe(1)
  const client = new AbortController()
  const newer = locks.acquire('a', { disconnected: client.signal })
  await expect(older).rejects.toBeInstanceOf(PreemptedError)
  await turns()
  expect(waiting.size).toBe(1)
  client.abort()
  await expect(newer).rejects.toBeInstanceOf(PreemptedError)
  expect(waiting.size).toBe(0)
})

test('a client that disconnects once its request has the session does not end the lease', async () => {
  const client = new AbortController()
  const lease = await new SessionLocks(new SharedLock()).acquire('a', { disconnected: client.signal })
  client.abort()
  expect(lease.signal.aborted).toBe(false)
  await lease.release()
})
