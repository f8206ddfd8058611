import { afterAll, beforeAll, expect, test } from '@jest/globals'
import { RedisSessionStore } from 'express-bits-upload/redis'
import { redisScript } from '../../../lib/session-stores/redis/connection.js'
import { RedisKeys } from '../../../lib/session-stores/redis/keys.js'
import { newRecord } from '../../../lib/testing/new-record.js'
import { hasRedis, type RedisEngine, startRedis } from '../../engines/redis.js'
import { CLIENTS, type ConnectedClient } from '../../engines/redis-clients.js'
import { describeWithEngine } from '../../support/engines.js'

const TTL_LEFT = redisScript('ttl-left', "return redis.call('PTTL', KEYS[1])")
const EXPIRE_IN = redisScript('expire-in', "return redis.call('PEXPIRE', KEYS[1], ARGV[1])")
const INDEX_SIZE = redisScript('index-size', "return redis.call('ZCARD', KEYS[1])")

describeWithEngine('The ttl of a RedisSessionStore', hasRedis, () => {
  let engine: RedisEngine
  let client: ConnectedClient
  beforeAll(async () => {
    engine = await startRedis('node')
    const connect = CLIENTS['node-redis 6']
    if (!connect) throw new Error('There is no client node-redis 6.')
    client = await connect(engine)
  })
  afterAll(async () => {
    await client?.close()
    await engine?.stop()
  })

  const { uploadId } = newRecord(1)
  const run = (script: typeof TTL_LEFT, prefix: string, ...args: string[]) =>
    client.connection.run(script, [new RedisKeys(prefix, 16).session(uploadId)], args)

  test('is set when a session is created, and starts again with each change', async () => {
    const store = new RedisSessionStore({ redis: client.connection, prefix: 'ttl', ttl: 3600 })
    await store.create(newRecord(1))
    expect(await run(TTL_LEFT, 'ttl')).toBeGreaterThan(3_000_000)
    expect(await run(TTL_LEFT, 'ttl')).toBeLessThanOrEqual(3_600_000)
    await run(EXPIRE_IN, 'ttl', '100000')
    await store.update(uploadId, () => undefined)
    expect(await run(TTL_LEFT, 'ttl')).toBeLessThanOrEqual(100_000)
    await store.update(uploadId, () => ({ total: 5 }))
    expect(await run(TTL_LEFT, 'ttl')).toBeGreaterThan(3_000_000)
  })

  test('is not shortened by a lock, and is 30 days by default', async () => {
    const store = new RedisSessionStore({ redis: client.connection, prefix: 'days' })
    await store.create(newRecord(1))
    const release = await store.lock(uploadId, { timeout: 0, onReleaseRequested: () => {} })
    await release?.()
    const days = 24 * 60 * 60 * 1000
    expect(await run(TTL_LEFT, 'days')).toBeGreaterThan(29 * days)
    expect(await run(TTL_LEFT, 'days')).toBeLessThanOrEqual(30 * days)
    await store.close()
  })

  test('a session that Redis has expired is not found, and is removed from the index when listed', async () => {
    const store = new RedisSessionStore({ redis: client.connection, prefix: 'gone' })
    await store.create(newRecord(1))
    await run(EXPIRE_IN, 'gone', '1')
    while ((await run(TTL_LEFT, 'gone')) !== -2) await new Promise((resolve) => setTimeout(resolve, 5))
    expect(await store.get(uploadId)).toBeUndefined()
    expect(await store.update(uploadId, () => ({ total: 5 }))).toBeUndefined()
    for await (const record of store.list()) expect(record).toBeUndefined()
    for await (const record of store.expired(Number.MAX_SAFE_INTEGER)) expect(record).toBeUndefined()
    const { open } = new RedisKeys('gone', 16).indices(uploadId)
    expect(await client.connection.run(INDEX_SIZE, [open], [])).toBe(0)
  })
})
