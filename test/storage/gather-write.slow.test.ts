import { randomBytes } from 'node:crypto'
import { type FileHandle, open, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { PassThrough, Readable } from 'node:stream'
import { setImmediate as turn } from 'node:timers/promises'
import { afterEach, beforeEach, expect, test } from '@jest/globals'
import fc from 'fast-check'
import { gatherWrite } from '../../lib/storage/file/gather-write.js'
import { temporaryDirectory } from '../support/serve.js'
import { until } from '../support/soak.js'

const never = () => new AbortController().signal

let directory: Awaited<ReturnType<typeof temporaryDirectory>>
let path: string
let file: FileHandle

beforeEach(async () => {
  directory = await temporaryDirectory()
  path = join(directory.path, 'file')
  file = await open(path, 'w+')
})

afterEach(async () => {
  await file.close()
  await directory.remove()
})

const content = () => readFile(path)

test('writes any stream unchanged, from any offset', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.integer({ min: 1, max: 400_000 }), { maxLength: 12 }),
      fc.nat(5000),
      async (sizes, start) => {
        await file.truncate(0)
        const chunks = sizes.map((size) => randomBytes(size))
        const whole = Buffer.concat(chunks)
        expect(await gatherWrite(file, start, Readable.from(chunks), never())).toBe(start + whole.length)
        const written = await content()
        expect(written.subarray(start).equals(whole)).toBe(true)
      },
    ),
    { numRuns: 30 },
  )
})

test('accepts thousands of tiny chunks', async () => {
  const whole = randomBytes(20_000)
  const body = Readable.from([...whole].map((byte) => Buffer.from([byte])))
  expect(await gatherWrite(file, 0, body, never())).toBe(20_000)
  expect((await content()).equals(whole)).toBe(true)
})

test('pauses a sender that is faster than the disk, at about 1 MiB', async () => {
  let sent = 0
  const body = new Readable({
    read() {
      sent += 64 * 1024
      this.push(Buffer.alloc(64 * 1024))
      if (sent >= 64 * 1024 * 1024) this.push(null)
    },
  })
  let ahead = 0
  const watched = watch(file, (bytes) => {
    ahead = Math.max(ahead, sent - bytes)
  })
  expect(await gatherWrite(watched, 0, body, never())).toBe(64 * 1024 * 1024)
  expect(ahead).toBeGreaterThan(256 * 1024)
  expect(ahead).toBeLessThan(4 * 1024 * 1024)
})

test('reads on during every write', async () => {
  const whole = 8 * 1024 * 1024
  let sent = 0
  const body = new Readable({
    read() {
      sent += 64 * 1024
      this.push(sent > whole ? null : Buffer.alloc(64 * 1024))
    },
  })
  const slow = {
    async writev(chunks: Buffer[]) {
      const before = sent
      await until(() => sent - before >= 256 * 1024 || sent >= whole)
      return { bytesWritten: chunks.reduce((sum, { length }) => sum + length, 0) }
    },
    write: () => Promise.reject(new Error('No write was short.')),
  }
  expect(await gatherWrite(slow, 0, body, never())).toBe(whole)
})

test('holds a single chunk of each body if many arrive at once', async () => {
  const size = 4 * 1024 * 1024
  const bodies = Array.from({ length: 32 }, () => {
    let sent = 0
    const body = new Readable({
      read() {
        sent += 64 * 1024
        this.push(sent > size ? null : Buffer.alloc(64 * 1024))
      },
    })
    return { body, sent: () => Math.min(sent, size) }
  })
  let written = 0
  let ahead = 0
  const counting = {
    async writev(chunks: Buffer[]) {
      ahead = Math.max(ahead, bodies.reduce((sum, { sent }) => sum + sent(), 0) - written)
      const bytesWritten = chunks.reduce((sum, { length }) => sum + length, 0)
      await turn()
      written += bytesWritten
      return { bytesWritten }
    },
    write: () => Promise.reject(new Error('No write was short.')),
  }
  await Promise.all(bodies.map(({ body }) => gatherWrite(counting, 0, body, never())))
  // Of each, the chunk that is being written, and the one that the stream itself holds.
  expect(ahead).toBeLessThanOrEqual(32 * 2 * 64 * 1024)
  expect(written).toBe(32 * size)
})

test('reads a body that was paused before', async () => {
  const body = Readable.from([Buffer.alloc(1000)])
  body.pause()
  expect(await gatherWrite(file, 0, body, never())).toBe(1000)
})

test.each([
  ['fails', (body: PassThrough) => void body.destroy(new Error('ECONNRESET'))],
  ['is destroyed', (body: PassThrough) => void body.destroy()],
  ['is given up by its signal', (_: PassThrough, stop: AbortController) => stop.abort()],
])('of a body that %s every byte is written that had arrived', async (_how, end) => {
  const whole = randomBytes(700_000)
  for (const size of [1, 1000, 262_144, 700_000]) {
    await file.truncate(0)
    const body = new PassThrough({ highWaterMark: 1024 * 1024 })
    const stop = new AbortController()
    const written = gatherWrite(file, 0, body, stop.signal)
    body.write(whole.subarray(0, size))
    await until(() => body.readableLength === 0)
    end(body, stop)
    expect(await written).toBe(size)
    expect((await content()).equals(whole.subarray(0, size))).toBe(true)
  }
})

test('continues after short writes, in the middle of a chunk', async () => {
  const whole = randomBytes(500_000)
  const chunks = [whole.subarray(0, 100), whole.subarray(100, 300_001), whole.subarray(300_001)]
  expect(await gatherWrite(shortened(file, 1234), 7, Readable.from(chunks), never())).toBe(500_007)
  expect((await content()).subarray(7).equals(whole)).toBe(true)
})

test('rejects if the disk is full at the very end', async () => {
  const full = await open('/dev/full', 'w')
  try {
    const body = Readable.from([Buffer.alloc(1000)])
    await expect(gatherWrite(full, 0, body, never())).rejects.toMatchObject({ code: 'ENOSPC' })
  } finally {
    await full.close()
  }
})

test('rejects if the disk is full, and leaves the rest of the body unread', async () => {
  const full = await open('/dev/full', 'w')
  try {
    const body = new PassThrough()
    const written = gatherWrite(full, 0, body, never())
    body.write(Buffer.alloc(300_000))
    await expect(written).rejects.toMatchObject({ code: 'ENOSPC' })
    body.write(Buffer.alloc(300_000))
    const rest = body.read()
    expect(rest.length).toBe(300_000)
    expect(body.listenerCount('data')).toBe(0)
  } finally {
    await full.close()
  }
})

/** A file that reports, before each write, how many bytes have been written. */
function watch(real: FileHandle, onWrite: (written: number) => void): FileHandle {
  let written = 0
  return new Proxy(real, {
    get(target, name) {
      if (name !== 'writev') return bound(target, name)
      return async (chunks: Buffer[], position: number) => {
        onWrite(written)
        const result = await target.writev(chunks, position)
        written += result.bytesWritten
        return result
      }
    },
  })
}

/** A file that writes at most `limit` bytes at a time, as some do when the disk is almost full. */
function shortened(real: FileHandle, limit: number): FileHandle {
  return new Proxy(real, {
    get(target, name) {
      if (name === 'writev')
        return async (chunks: Buffer[], position: number) =>
          target.write(Buffer.concat(chunks).subarray(0, limit), 0, undefined, position)
      if (name === 'write')
        return async (bytes: Buffer, offset: number, length: number, position: number) =>
          target.write(bytes, offset, Math.min(length, limit), position)
      return bound(target, name)
    },
  })
}

function bound(target: FileHandle, name: string | symbol): unknown {
  const value: unknown = Reflect.get(target, name)
  return typeof value === 'function' ? value.bind(target) : value
}
