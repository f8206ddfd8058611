import { afterAll, beforeAll, describe, jest } from '@jest/globals'
import { type RedisConnection, RedisSessionStore } from 'express-bits-upload/redis'
import { type Runner, sessionLockContract, sessionStoreContract } from 'express-bits-upload/testing'
import { hasRedis, type RedisEngine, startRedis, TOPOLOGIES, type Topology } from '../../engines/redis.js'
import { CLIENTS, type ConnectedClient } from '../../engines/redis-clients.js'
import { concurrentWaits } from '../../support/concurrent-waits.js'
import { describeWithEngine } from '../../support/engines.js'
import { SuspendableConnection } from './suspendable-connection.js'

jest.setTimeout(60_000)

let prefixes = 0
const newPrefix = () => `test-${++prefixes}`

/** Lock tests that mainly wait run once, with one client and one node. */
const WAITS = [
  'lock-wanted: a holder that ignores requests keeps the lock until it releases it',
  'lock-alive: a live holder keeps the lock for longer than a dead one',
  'lock-abort: an aborted wait rejects soon, and leaves no request for the lock behind',
]
const withoutWaits = (runner: Runner): Runner => ({
  describe: runner.describe,
  test: (name, body, timeout) => {
    if (!WAITS.includes(name)) runner.test(name, body, timeout)
  },
})
/** Milliseconds; short, but longer than a busy machine may delay a renewal. */
const SHORT_LEASE = 4_000

for (const topology of TOPOLOGIES) {
  describeWithEngine(`RedisSessionStore, ${topology}`, hasRedis, () => {
    let engine: RedisEngine
    const clients = new Map<string, ConnectedClient>()
    beforeAll(async () => {
      engine = await startRedis(topology)
      for (const [name, connect] of Object.entries(CLIENTS)) clients.set(name, await connect(engine))
    })
    afterAll(async () => {
      for (const client of clients.values()) await client.close()
      await engine?.stop()
    })
    const runner = concurrentWaits()
    for (const name of Object.keys(CLIENTS)) {
      describe(name, () => {
        testClient(name, topology, runner, () => {
          const client = clients.get(name)
          if (!client) throw new Error(`There is no client ${name}.`)
          return client.connection
        })
      })
    }
  })
}

function testClient(name: string, topology: Topology, runner: Runner, redis: () => RedisConnection): void {
  sessionStoreContract(() => ({ store: new RedisSessionStore({ redis: redis(), prefix: newPrefix() }) }), {
    runner,
  })

  const isFull = name === 'node-redis 6' && topology === 'node'
  sessionLockContract(
    () => {
      const prefix = newPrefix()
      const connections = [redis(), redis()].map((connection) => new SuspendableConnection(connection))
      const [one, other] = connections.map(
        (connection) =>
          new RedisSessionStore({ redis: connection, prefix, ...(isFull ? {} : { lease: SHORT_LEASE }) }),
      )
      if (!one || !other) throw new Error('There are no stores.')
      const connectionOf = (store: object) => connections[store === one ? 0 : 1]
      return {
        one,
        other,
        die: async (store) => connectionOf(store)?.suspend(),
        wake: async (store) => connectionOf(store)?.resume(),
      }
    },
    { runner: isFull ? runner : withoutWaits(runner) },
  )
}
