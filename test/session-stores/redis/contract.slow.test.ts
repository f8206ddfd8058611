import { afterAll, beforeAll, describe, jest, test } from '@jest/globals'
import { RedisSessionStore } from 'express-bits-upload/redis'
import { type Runner, sessionLockContract, sessionStoreContract } from 'express-bits-upload/testing'
import { hasRedis, type RedisEngine, startRedis, TOPOLOGIES, type Topology } from '../../engines/redis.js'
import { CLIENTS, type ConnectedClient } from '../../engines/redis-clients.js'
import { describeWithEngine } from '../../support/engines.js'
import { SuspendableConnection } from './suspendable-connection.js'

jest.setTimeout(60_000)

let prefixes = 0
const newPrefix = () => `test-${++prefixes}`

/** The tests of a lock that only wait are made once, with one client on one node. */
const WAITS = [
  'lock-wanted: a holder that ignores requests keeps the lock until it releases it',
  'lock-alive: a live holder keeps the lock for longer than a dead one',
  'lock-abort: an aborted wait rejects soon, and leaves no request for the lock behind',
]
const all: Runner = { describe, test }
const withoutWaits: Runner = {
  describe,
  test: (name, body, timeout) => {
    if (!WAITS.includes(name)) test(name, body, timeout)
  },
}
/** Milliseconds; short, but longer than what a busy machine delays a renewal. */
const SHORT_LEASE = 4_000

for (const topology of TOPOLOGIES) {
  describeWithEngine(`RedisSessionStore, ${topology}`, hasRedis, () => {
    let engine: RedisEngine
    beforeAll(async () => {
      engine = await startRedis(topology)
    })
    afterAll(() => engine?.stop())
    for (const name of Object.keys(CLIENTS)) {
      describe(name, () => {
        testClient(name, topology, () => engine)
      })
    }
  })
}

function testClient(name: string, topology: Topology, engine: () => RedisEngine): void {
  let client: ConnectedClient
  beforeAll(async () => {
    const connect = CLIENTS[name]
    if (!connect) throw new Error(`There is no client ${name}.`)
    client = await connect(engine())
  })
  afterAll(async () => {
    await client?.close()
  })

  sessionStoreContract(
    () => ({ store: new RedisSessionStore({ redis: client.connection, prefix: newPrefix() }) }),
    { runner: all },
  )

  const isFull = name === 'node-redis 6' && topology === 'node'
  sessionLockContract(
    () => {
      const prefix = newPrefix()
      const connections = [client.connection, client.connection].map(
        (connection) => new SuspendableConnection(connection),
      )
      const [one, other] = connections.map(
        (redis) => new RedisSessionStore({ redis, prefix, ...(isFull ? {} : { lease: SHORT_LEASE }) }),
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
    { runner: isFull ? all : withoutWaits },
  )
}
