import { afterAll, beforeAll, expect, jest, test } from '@jest/globals'
import type { SessionRecord } from 'express-bits-upload'
import { PostgresSessionStore } from 'express-bits-upload/postgres'
import { sessionLockContract, sessionStoreContract } from 'express-bits-upload/testing'
import type { Pool } from 'pg'
import { newRecord } from '../../../lib/testing/new-record.js'
import { hasPostgres, type PostgresEngine, startPostgres } from '../../engines/postgres.js'
import { concurrentWaits } from '../../support/concurrent-waits.js'
import { describeWithEngine } from '../../support/engines.js'
import { until } from '../../support/soak.js'
import { SuspendablePool } from './suspendable-pool.js'

jest.setTimeout(60_000)

describeWithEngine('PostgresSessionStore', hasPostgres, () => {
  let engine: PostgresEngine
  let pool: Pool
  let tables = 0
  const newTable = () => `sessions_${++tables}`

  beforeAll(async () => {
    engine = await startPostgres()
    pool = engine.connect()
  })
  afterAll(async () => {
    await pool?.end()
    await engine?.stop()
  })

  const runner = concurrentWaits()

  sessionStoreContract(() => ({ store: new PostgresSessionStore({ pool, table: newTable() }) }), {
    runner,
  })

  sessionLockContract(
    () => {
      const table = newTable()
      const pools = [new SuspendablePool(pool), new SuspendablePool(pool)]
      const [one, other] = pools.map((each) => new PostgresSessionStore({ pool: each, table }))
      if (!one || !other) throw new Error('There are no stores.')
      const poolOf = (store: object) => pools[store === one ? 0 : 1]
      return {
        one,
        other,
        die: async (store) => poolOf(store)?.suspend(),
        wake: async (store) => poolOf(store)?.resume(),
      }
    },
    { runner },
  )

  const rowsOf = async (table: string) => (await pool.query(`SELECT * FROM ${table}`)).rows

  test('servers that start at the same time create one table', async () => {
    const table = newTable()
    const stores = Array.from({ length: 8 }, () => new PostgresSessionStore({ pool, table }))
    await Promise.all(stores.map((store) => store.open()))
    await stores[0]?.create(newRecord(1))
    expect(await stores[7]?.get(newRecord(1).uploadId)).toEqual(newRecord(1))
  })

  test('no row is left after sessions and locks have ended', async () => {
    const table = newTable()
    const store = new PostgresSessionStore({ pool, table })
    await store.open()
    const { uploadId } = newRecord(1)
    await store.create(newRecord(1))
    for (const key of [uploadId, 'sweep']) {
      const release = await store.lock(key, { timeout: 0, onReleaseRequested: () => {} })
      // The lock outlives the session, as in a sweep.
      await store.delete(uploadId)
      expect(await rowsOf(table)).toHaveLength(1)
      await release?.()
      expect(await rowsOf(table)).toEqual([])
    }
  })

  test('locks of dead processes are removed by the next sweep', async () => {
    const table = newTable()
    const store = new PostgresSessionStore({ pool, table })
    await store.open()
    await store.lock('sweep', { timeout: 0, onReleaseRequested: () => {} })
    await store.close()
    for await (const record of store.expired(0)) expect(record).toBeUndefined()
    expect(await rowsOf(table)).toHaveLength(1)
    await pool.query(`UPDATE ${table} SET held_until = held_until - interval '2 hours'`)
    for await (const record of store.expired(0)) expect(record).toBeUndefined()
    expect(await rowsOf(table)).toEqual([])
  })

  test('a hung database: rejects with 503 within the timeout, and works again afterward', async () => {
    const own = engine.connect()
    const store = new PostgresSessionStore({ pool: own, table: newTable(), timeout: 1_500 })
    try {
      await store.open()
      await store.create(newRecord(1))
      engine.process.suspend()
      const start = performance.now()
      const failures = [
        store.get(newRecord(1).uploadId),
        store.createWithin(newRecord(2), 5),
        store.check(),
      ].map((work) => expect(work).rejects.toMatchObject({ status: 503, headers: { 'Retry-After': '30' } }))
      await Promise.all(failures)
      expect(performance.now() - start).toBeLessThan(10_000)
      engine.process.resume()
      // On a busy machine, the first ones may take longer than the timeout.
      let found: SessionRecord | undefined
      await until(async () => {
        found = await store.get(newRecord(1).uploadId).catch(() => undefined)
        return found !== undefined
      }, 30_000)
      expect(found).toEqual(newRecord(1))
    } finally {
      engine.process.resume()
      await own.end()
    }
  })

  test('a stopped database: rejects with 503, and works again after a restart', async () => {
    const own = engine.connect()
    const store = new PostgresSessionStore({ pool: own, table: newTable() })
    try {
      await store.open()
      await store.createWithin(newRecord(1), 1)
      await engine.process.end('SIGQUIT')
      await expect(store.get(newRecord(1).uploadId)).rejects.toMatchObject({ status: 503 })
      await expect(store.createWithin(newRecord(2), 1)).rejects.toMatchObject({ status: 503 })
      await engine.process.start()
      // It listens before it is ready.
      while ((await store.check().catch(() => 'away')) === 'away');
      expect(await store.get(newRecord(1).uploadId)).toEqual(newRecord(1))
      expect(await store.createWithin(newRecord(2), 1)).toBe(1)
    } finally {
      await own.end()
    }
  })
})
