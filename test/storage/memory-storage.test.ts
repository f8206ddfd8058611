import { Readable } from 'node:stream'
import { buffer } from 'node:stream/consumers'
import { describe, expect, test } from '@jest/globals'
import { MemoryStorage, type StagedUpload } from 'express-bits-upload'
import { bytes } from '../support/bytes.js'

const upload = (n: number, total?: number): StagedUpload => ({
  uploadId: n.toString(16).padStart(32, '0'),
  destination: `${n}.bin`,
  total,
})
const never = new AbortController().signal
const body = (length: number) => Readable.from([bytes(length)])
const FULL = { code: 'disk-full' }

describe('maxBytes of a MemoryStorage', () => {
  test('counts staged data, files and replies once, and stops counting what was removed', async () => {
    const storage = new MemoryStorage({ maxBytes: 1000 })
    await storage.append(upload(1, 400), 0, body(400), never)
    expect(storage.bytes).toBe(400)
    await storage.publish(upload(1, 400), { overwrite: false })
    await storage.publish(upload(1, 400), { overwrite: false })
    expect(storage.bytes).toBe(400)
    await storage.writeReply(upload(1), body(100))
    await storage.discard(upload(1), { keepReply: true })
    expect(storage.bytes).toBe(500)
    await storage.append(upload(2, 500), 0, body(500), never)
    await expect(storage.append(upload(2, 501), 500, body(1), never)).rejects.toMatchObject(FULL)
    await storage.begin(upload(2))
    expect(storage.bytes).toBe(500)
    await storage.discard(upload(1))
    expect(storage.bytes).toBe(400)
    await storage.discard(upload(1))
    expect(storage.bytes).toBe(400)
  })

  test('counts files that the app adds, replaces and removes', () => {
    const storage = new MemoryStorage()
    storage.files.set('a', bytes(10)).set('b', bytes(20)).set('a', bytes(5))
    expect(storage.bytes).toBe(25)
    expect([storage.files.delete('b'), storage.files.delete('b')]).toEqual([true, false])
    expect(storage.bytes).toBe(5)
    storage.files.clear()
    expect(storage.bytes).toBe(0)
  })

  test('ends a reply at the chunk that exceeds the limit, and keeps nothing of it', async () => {
    const storage = new MemoryStorage({ maxBytes: 1000 })
    let chunks = 0
    const endless = Readable.from(
      (async function* () {
        for (;;) {
          chunks++
          yield bytes(400)
        }
      })(),
    )
    await expect(storage.writeReply(upload(1), endless)).rejects.toMatchObject(FULL)
    expect(chunks).toBeLessThan(30)
    expect(storage.bytes).toBe(0)
    expect(await storage.statReply(upload(1))).toBeUndefined()
  })

  test('frees the space of an earlier reply for the next, and keeps it if the next fails', async () => {
    const storage = new MemoryStorage({ maxBytes: 1000 })
    await storage.writeReply(upload(1), body(800))
    expect(await storage.writeReply(upload(1), body(900))).toBe(900)
    expect(storage.bytes).toBe(900)
    await expect(storage.writeReply(upload(1), body(1001))).rejects.toMatchObject(FULL)
    expect(storage.bytes).toBe(900)
    expect(await buffer(storage.readReply(upload(1)))).toEqual(bytes(900))
  })

  test('counts replies in progress', async () => {
    const storage = new MemoryStorage({ maxBytes: 1000 })
    const slow = new Readable({ read() {} })
    const written = storage.writeReply(upload(1), slow)
    slow.push(bytes(600))
    while (storage.bytes < 600) await new Promise((resolve) => setImmediate(resolve))
    await expect(storage.append(upload(2), 0, body(500), never)).rejects.toMatchObject(FULL)
    slow.push(null)
    expect(await written).toBe(600)
    expect(storage.bytes).toBe(600)
  })
})

test('a MemoryStorage also accepts text as a reply', async () => {
  const storage = new MemoryStorage()
  expect(await storage.writeReply(upload(1), Readable.from(['ä', Buffer.from('b')]))).toBe(3)
  expect((await buffer(storage.readReply(upload(1)))).toString()).toBe('äb')
})
