import { EventEmitter, once } from 'node:events'
import { Readable } from 'node:stream'
import { buffer } from 'node:stream/consumers'
import { setTimeout as delay } from 'node:timers/promises'
import { describe, expect, test } from '@jest/globals'
import { MemoryStorage, type StorageAdapter } from 'express-bits-upload'
import { bytes } from '../support/bytes.js'
import { expectAck } from '../support/expect-ack.js'
import { fixtures } from '../support/fixtures.js'
import { closeSession, fragment, openSession } from '../support/raw.js'

const { start, connect } = fixtures()

const PATH = '/uploads/file.bin'
const FILE = bytes(3000)
const FAILED = { status: 500, error: '0x80004005' }

/** Methods as plain JavaScript may define them, with results of any type. */
type Methods = {
  [Name in 'append' | 'publish']?: (...args: Parameters<StorageAdapter[Name]>) => Promise<unknown>
}

/** A storage in memory with some methods replaced. */
const storageWith = (methods: (memory: MemoryStorage) => Methods): MemoryStorage => {
  const memory = new MemoryStorage()
  return Object.assign(memory, methods(memory))
}

/** Makes append() return a wrong length. */
const miscounting = (memory: MemoryStorage, count: (length: number) => unknown) => {
  const append = memory.append.bind(memory)
  return { append: async (...args: Parameters<StorageAdapter['append']>) => count(await append(...args)) }
}

describe('impossible results of an adapter are not trusted: no partial file is published', () => {
  test.each<[string, (length: number) => unknown]>([
    ['one byte too many', (length) => length + 1],
    ['one byte too few', (length) => length - 1],
    ['nothing', () => undefined],
    ['no number', () => Number.NaN],
  ])('append() returns %s', async (_, count) => {
    const storage = storageWith((memory) => miscounting(memory, count))
    const running = await start({ storage })
    const connection = await connect(running)
    const id = await openSession(connection, PATH)
    const ack = await connection.exchange(fragment(PATH, id, FILE, 0, 2998))
    expectAck(ack, { ...FAILED, session: id, offset: 2999 })
    expect(storage.files.size).toBe(0)
    expect(running.logger.lines.join()).toMatch(
      /The storage holds \w+ bytes after an append that ends at 2999\./,
    )
    // Only the result was wrong, not the bytes, so the upload can continue.
    Object.assign(storage, { append: MemoryStorage.prototype.append })
    await connection.exchange(fragment(PATH, id, FILE, 2999))
    expect(storage.files.get('file.bin')).toEqual(FILE)
  })

  test('append() leaves bytes of the body unread', async () => {
    const storage = storageWith((memory) => ({
      async append(upload, offset, body, signal) {
        const [chunk] = await once(body, 'data')
        body.pause()
        const part = Readable.from([chunk.subarray(0, 100)])
        return MemoryStorage.prototype.append.call(memory, upload, offset, part, signal)
      },
    }))
    const running = await start({ storage })
    const connection = await connect(running)
    const id = await openSession(connection, PATH)
    const ack = await connection.exchange(fragment(PATH, id, FILE))
    expectAck(ack, { ...FAILED, session: id, offset: 100 })
    expect(storage.files.size).toBe(0)
  })

  test('publish() stores another number of bytes', async () => {
    const storage = storageWith((memory) => {
      const publish = memory.publish.bind(memory)
      return {
        async publish(...args) {
          return { ...(await publish(...args)), size: 1 }
        },
      }
    })
    const running = await start({ storage })
    const connection = await connect(running)
    const id = await openSession(connection, PATH)
    const ack = await connection.exchange(fragment(PATH, id, FILE))
    expectAck(ack, { ...FAILED, session: id, offset: 3000 })
    expect(running.logger.lines.join()).toContain('The storage published 1 bytes of an upload that has 3000.')
    // The session is unchanged: when the storage works again, the last fragment can be repeated.
    Object.assign(storage, { publish: MemoryStorage.prototype.publish })
    expectAck(await connection.exchange(fragment(PATH, id, FILE, 2999)), {
      status: 200,
      session: id,
      offset: 3000,
    })
    expectAck(await connection.exchange(closeSession(PATH, id)), { status: 200, session: id })
  })
})

test('a client that disconnects after sending everything, before all is read, is not a server error', async () => {
  const appending = new EventEmitter()
  const started = once(appending, 'started')
  // Reads nothing for a while, and then rejects with the error of the body, like an adapter that cannot store parts.
  const storage = storageWith(() => ({
    async append(_upload, offset, body) {
      appending.emit('started')
      await new Promise((resolve) => body.once('close', resolve))
      return offset + (await buffer(body)).length
    },
  }))
  const running = await start({ storage })
  const errors: Error[] = []
  running.bits.on('error', (error) => void errors.push(error))
  const connection = await connect(running)
  const id = await openSession(connection, PATH)
  connection.write(fragment(PATH, id, FILE))
  await started
  connection.reset()
  await delay(200)
  expect(errors).toEqual([])
  expect(running.logger.lines.filter((line) => /^(error|warn)/.test(line))).toEqual([])
})
