import { afterAll, beforeAll, expect, jest, test } from '@jest/globals'
import { MemoryStorage } from 'express-bits-upload'
import { RedisSessionStore } from 'express-bits-upload/redis'
import { hasRedis, type RedisEngine, startRedis } from '../../engines/redis.js'
import { CLIENTS } from '../../engines/redis-clients.js'
import { describeWithEngine } from '../../support/engines.js'
import { expectAck } from '../../support/expect-ack.js'
import { fixtures } from '../../support/fixtures.js'
import { closeSession, fragment, openSession } from '../../support/raw.js'

jest.setTimeout(60_000)

const PATH = '/uploads/file.bin'
const FILE = Buffer.alloc(3000, 7)
const AWAY = { status: 503, error: '0x801901F7' }

describeWithEngine('RedisSessionStore when Redis is away', hasRedis, () => {
  const { start, connect, afterwards } = fixtures()
  let engine: RedisEngine
  beforeAll(async () => {
    engine = await startRedis('node')
  })
  afterAll(() => engine?.stop())

  const outages = [
    ['hung', async () => engine.nodes[0]?.suspend(), async () => engine.nodes[0]?.resume()],
    ['gone', async () => engine.nodes[0]?.end('SIGKILL'), async () => engine.nodes[0]?.start()],
  ] as const

  for (const name of ['node-redis 6', 'ioredis 6']) {
    for (const [how, interrupt, restore] of outages) {
      test(`${name}, ${how}: packets get 503 in time, without an offset, and uploads continue afterwards`, async () => {
        const client = await CLIENTS[name]?.(engine)
        if (!client) throw new Error(`There is no client ${name}.`)
        afterwards(() => client.close())
        const sessionStore = new RedisSessionStore({
          redis: client.connection,
          prefix: `${name}-${how}`.replace(' ', '-'),
          timeout: 1_000,
        })
        const storage = new MemoryStorage()
        const running = await start({ storage, sessionStore })
        const errors: string[] = []
        running.bits.on('error', (error) => void errors.push(error.message))
        const connection = await connect(running)
        const id = await openSession(connection, PATH)
        const first = await connection.exchange(fragment(PATH, id, FILE, 0, 999))
        expectAck(first, { status: 200, session: id, offset: 1000 })

        afterwards(() => engine.nodes[0]?.resume())
        await interrupt()
        const begun = performance.now()
        const refused = await connection.exchange(fragment(PATH, id, FILE, 1000))
        expect(performance.now() - begun).toBeLessThan(6_000)
        expectAck(refused, { ...AWAY, session: id })
        expect(refused.header('BITS-Received-Content-Range')).toBeUndefined()
        expect(refused.header('Retry-After')).toBe('30')
        expect(errors).toHaveLength(1)
        await restore()

        let ack = await connection.exchange(fragment(PATH, id, FILE, 1000))
        // Redis may still be starting, or the client may be waiting before it reconnects.
        for (let tries = 0; ack.status === 503 && tries < 30; tries++) {
          ack = await connection.exchange(fragment(PATH, id, FILE, 1000))
        }
        expectAck(ack, { status: 200, session: id, offset: 3000 })
        expectAck(await connection.exchange(closeSession(PATH, id)), { status: 200, session: id })
        expect(Buffer.from(storage.files.get('file.bin') ?? [])).toEqual(FILE)
      })
    }
  }
})
