import { expect, test } from '@jest/globals'
import express from 'express'
import { bitsHealth, MemoryStorage } from 'express-bits-upload'
import request from 'supertest'
import { fixtures } from '../support/fixtures.js'

const { start } = fixtures()

class CheckedStorage extends MemoryStorage {
  checks = 0
  problem: string | undefined
  async check(): Promise<void> {
    this.checks++
    if (this.problem !== undefined) throw new Error(this.problem)
  }
}

test('a usable storage gets 200, and is checked at most once a second', async () => {
  const storage = new CheckedStorage()
  const { bits } = await start({ storage })
  const app = express().get('/health', bitsHealth(bits))
  const answers = await Promise.all([1, 2, 3].map(() => request(app).get('/health')))
  for (const { status, body } of answers) {
    expect([status, body]).toEqual([200, { storage: 'ok', sessions: 'ok' }])
  }
  expect(storage.checks).toBe(1)
})

test('an unusable storage gets 503, with or without the reason', async () => {
  const storage = new CheckedStorage()
  storage.problem = 'The bucket "secret" is gone.'
  const { bits } = await start({ storage })
  const app = express()
    .get('/health', bitsHealth(bits))
    .get('/public', bitsHealth(bits, { details: false }))
  const detailed = await request(app).get('/health')
  expect([detailed.status, detailed.body]).toEqual([503, { storage: storage.problem, sessions: 'ok' }])
  const brief = await request(app).get('/public')
  expect([brief.status, brief.body]).toEqual([503, { storage: 'failed', sessions: 'ok' }])
})

test('a storage that cannot be opened gets 503', async () => {
  const storage = new MemoryStorage()
  const { bits } = await start({
    storage: Object.assign(storage, { open: () => Promise.reject(new Error('No disk.')) }),
  })
  const { status, body } = await request(express().get('/health', bitsHealth(bits))).get('/health')
  expect([status, body.storage]).toEqual([503, 'No disk.'])
})

test('after close() the response is 503, and the storage is not checked', async () => {
  const storage = new CheckedStorage()
  const { bits } = await start({ storage })
  const app = express().get('/health', bitsHealth(bits))
  const closed = bits.close()
  expect((await request(app).get('/health')).status).toBe(503)
  await closed
  expect(storage.checks).toBe(0)
})
