import { createHash } from 'node:crypto'
import { readdir } from 'node:fs/promises'
import { IncomingMessage } from 'node:http'
import type { Readable } from 'node:stream'
import { describe, expect, test } from '@jest/globals'
import {
  FileSessionStore,
  FileStorage,
  MemorySessionStore,
  MemoryStorage,
  type SessionChange,
  type SessionRecord,
  type StagedUpload,
} from 'express-bits-upload'
import fc from 'fast-check'
import { expectAck } from '../support/expect-ack.js'
import { openFiles, sessionFiles } from '../support/files.js'
import { fixtures } from '../support/fixtures.js'
import {
  cancelSession,
  closeSession,
  fragment,
  openSession,
  PROTOCOL,
  packet,
  type RawConnection,
} from '../support/raw.js'
import { untilHeld } from '../support/serve.js'
import { FailingStorage } from '../support/storages.js'
import { Application, ok } from './application.js'
import { countReads, FILE, hex, PATH, record, SHA256, SHA512, testHashes } from './hash-tests.js'
import { pause, upload } from './support.js'

const { start, connect, directory, afterwards } = fixtures()

const INVALID = '0x80070057'

const base64 = (algorithm: string, content = FILE) => createHash(algorithm).update(content).digest('base64')
const RIGHT = `sha-256=:${base64('sha256')}:`
const WRONG = `sha-256=:${base64('sha256', Buffer.from('other'))}:`

const createWith = (reprDigest: string, path = PATH): Buffer =>
  packet('Create-Session', path, { 'BITS-Supported-Protocols': PROTOCOL, 'Repr-Digest': reprDigest })

async function openExpecting(connection: RawConnection, reprDigest: string): Promise<string> {
  const ack = await connection.exchange(createWith(reprDigest))
  expect(ack.status).toBe(200)
  return ack.header('BITS-Session-Id') ?? ''
}

describe('the option hash', () => {
  testHashes('a FileStorage', async () => new FileStorage({ directory: await directory() }))

  testHashes('a MemoryStorage', async () => new MemoryStorage())

  test.each([
    { what: 'a MemoryStorage', create: async () => new MemoryStorage() },
    { what: 'a FileStorage', create: async () => new FileStorage({ directory: await directory() }) },
  ])(
    'of $what needs no second read after any fragments, overlaps and broken connections',
    async ({ create }) => {
      const storage = countReads(await create())
      const { uploaded, listen } = record()
      const running = await start({ storage, hash: 'sha256' })
      listen(running)
      const step = fc.record({
        overlap: fc.nat(6000),
        length: fc.oneof(fc.integer({ min: 1, max: 50 }), fc.integer({ min: 1, max: 150_000 })),
        // Number of bytes after which the connection is reset.
        cut: fc.option(fc.nat(100_000), { freq: 4 }),
      })
      let count = 0
      await fc.assert(
        fc.asyncProperty(
          fc.integer({ min: 1, max: FILE.length }),
          fc.array(step, { maxLength: 6 }),
          async (size, steps) => {
            const file = FILE.subarray(0, size)
            const path = `/uploads/${count++}`
            let connection = await connect(running)
            const id = await openSession(connection, path)
            const offset = async () =>
              (await running.bits.sessions()).find((session) => session.path === path)?.received ?? 0
            const send = (first: number, last: number) =>
              connection.exchange(fragment(path, id, file, first, last))
            for (const { overlap, length, cut } of steps) {
              const first = Math.max((await offset()) - overlap, 0)
              const last = Math.min(first + length, size) - 1
              if (last + 1 === size) break
              if (cut === null || cut > last - first) await send(first, last)
              else {
                const whole = fragment(path, id, file, first, last)
                connection.write(whole.subarray(0, whole.length - (last - first + 1 - cut)))
                await pause(1)
                connection.reset()
                connection = await connect(running)
              }
            }
            // In a fragment of the whole file, only the missing bytes are new.
            expect((await send(0, size - 1)).status).toBe(200)
            expect(uploaded.at(-1)?.digest).toEqual({ algorithm: 'sha256', value: hex('sha256', file) })
            await connection.exchange(closeSession(path, id))
            connection.end()
          },
        ),
        { numRuns: 20 },
      )
      expect(storage.reads).toBe(0)
    },
  )

  test('reads the staged bytes once after a restart, and leaves no file open', async () => {
    const root = await directory()
    const storage = countReads(new FileStorage({ directory: root }))
    const first = await start({ storage, hash: 'sha256' })
    const one = await connect(first)
    const id = await openSession(one, PATH)
    await one.exchange(fragment(PATH, id, FILE, 0, 199_999))
    await first.stop()
    const { onUpload, applied } = record()
    const other = await connect(await start({ storage, hash: 'sha256', onUpload }))
    await other.exchange(fragment(PATH, id, FILE, 200_000))
    expect(applied).toMatchObject([{ digest: SHA256 }])
    expect(storage.reads).toBe(1)
    while ((await openFiles(root)).length > 0) await pause(10)
  })

  test('reads the staged bytes once if the storage failed in the middle', async () => {
    const storage = countReads(new FailingStorage())
    const { uploaded, listen } = record()
    const running = await start({ storage, hash: 'sha256' })
    listen(running)
    const connection = await connect(running)
    const id = await openSession(connection, PATH)
    await connection.exchange(fragment(PATH, id, FILE, 0, 99_999))
    storage.failure = { at: 'append', error: Object.assign(new Error('full'), { code: 'ENOSPC' }) }
    expectAck(await connection.exchange(fragment(PATH, id, FILE, 100_000)), {
      status: 500,
      error: '0x80070070',
      session: id,
      offset: 100_000,
    })
    storage.failure = undefined
    await connection.exchange(fragment(PATH, id, FILE, 100_000))
    expect(uploaded).toMatchObject([{ digest: SHA256 }])
    expect(storage.reads).toBe(1)
  })

  test('is not computed again when a delivery is repeated', async () => {
    const storage = countReads(new MemoryStorage())
    const digests: unknown[] = []
    const running = await start({
      storage,
      hash: 'sha256',
      onUpload({ digest }) {
        digests.push(digest)
        if (digests.length === 1) throw new Error('not now')
      },
    })
    const connection = await connect(running)
    const { id, ack } = await upload(connection, PATH, FILE)
    expect(ack.status).toBe(500)
    expect((await connection.exchange(fragment(PATH, id, FILE, 299_999))).status).toBe(200)
    expect(digests).toEqual([SHA256, SHA256])
    expect(storage.reads).toBe(0)
  })

  test('is not computed again after a publication whose success could not be recorded', async () => {
    class ForgetfulStore extends MemorySessionStore {
      failures = 1
      override async update(uploadId: string, change: (current: SessionRecord) => SessionChange | undefined) {
        return super.update(uploadId, (current) => {
          const changes = change(current)
          if (changes?.state === 'published' && this.failures-- > 0) throw new Error('the disk is gone')
          return changes
        })
      }
    }
    const root = await directory()
    const sessionStore = new ForgetfulStore()
    const first = await start({ directory: root, sessionStore, hash: 'sha256' })
    const { id, ack } = await upload(await connect(first), PATH, FILE)
    expect(ack.status).toBe(500)
    const storage = countReads(new FileStorage({ directory: root }))
    const { uploaded, listen } = record()
    const running = await start({ storage, sessionStore, hash: 'sha256' })
    listen(running)
    await (await connect(running)).exchange(fragment(PATH, id, FILE, 299_999))
    expect(uploaded).toMatchObject([{ digest: SHA256, size: FILE.length }])
    expect(storage.reads).toBe(0)
  })

  test('costs nothing if it is off: the storage reads the request itself', async () => {
    const bodies: Readable[] = []
    class Witness extends MemoryStorage {
      override async append(upload: StagedUpload, offset: number, body: Readable, signal: AbortSignal) {
        bodies.push(body)
        return super.append(upload, offset, body, signal)
      }
    }
    const { onUpload, applied, uploaded, listen } = record()
    const running = await start({ storage: new Witness(), onUpload })
    listen(running)
    await upload(await connect(running), PATH, FILE)
    expect(bodies).toEqual([expect.any(IncomingMessage)])
    expect(applied[0]).not.toHaveProperty('digest')
    expect(uploaded[0]).not.toHaveProperty('digest')
  })

  test.each(['by-reference', 'by-value'] as const)(
    'is in the Repr-Digest of a notification %s',
    async (type) => {
      const app = await Application.start(ok())
      afterwards(() => app.stop())
      const running = await start({
        directory: await directory(),
        hash: 'sha256',
        notification: { type, url: app.url },
      })
      await upload(await connect(running), PATH, FILE)
      expect(app.notifications[0]?.headers).toMatchObject({ 'repr-digest': RIGHT })
    },
  )
})

describe('a checksum that the client sends', () => {
  test.each([
    [RIGHT, undefined, SHA256],
    [`sha-512=:${base64('sha512')}:`, undefined, SHA512],
    [`${RIGHT}, sha-512=:${base64('sha512')}:`, undefined, SHA512],
    [`${RIGHT}, sha-512=:${base64('sha512')}:`, 'sha256' as const, SHA256],
    [`sha-512=:${base64('sha512')}:`, 'sha256' as const, SHA256],
  ])('lets a matching file pass: %s with the option %s', async (reprDigest, hash, digest) => {
    const storage = countReads(new MemoryStorage())
    const { onUpload, applied } = record()
    const connection = await connect(await start({ storage, onUpload, hash }))
    const id = await openExpecting(connection, reprDigest)
    await connection.exchange(fragment(PATH, id, FILE, 0, 99_999))
    expectAck(await connection.exchange(fragment(PATH, id, FILE, 100_000)), {
      status: 200,
      session: id,
      offset: FILE.length,
    })
    expect(applied).toMatchObject([{ digest }])
    expect(storage.reads).toBe(0)
  })

  test.each([WRONG, `${RIGHT}, sha-512=:${base64('sha512', Buffer.from('other'))}:`])(
    'refuses a file that does not match, and leaves nothing behind: %s',
    async (reprDigest) => {
      const root = await directory()
      const { onUpload, applied, cancelled, listen } = record()
      const running = await start({ directory: root, onUpload })
      listen(running)
      const connection = await connect(running)
      const id = await openExpecting(connection, reprDigest)
      await connection.exchange(fragment(PATH, id, FILE, 0, 99_999))
      const refused = await connection.exchange(fragment(PATH, id, FILE, 100_000))
      expectAck(refused, { status: 400, error: INVALID, session: id, offset: 0 })
      expect(applied).toEqual([])
      expect(cancelled).toMatchObject([{ destination: 'dir/file.bin', state: 'cancelled' }])
      expect(await readdir(root)).toEqual(['BITS-Sessions'])
      expect((await sessionFiles(root)).filter((name) => !name.endsWith('.json'))).toEqual([])
      expect(await running.bits.sessions()).toEqual([])
      const again = await connection.exchange(fragment(PATH, id, FILE, 299_999))
      expectAck(again, { status: 500, error: '0x8020001F', session: id, offset: 0 })
      expectAck(await connection.exchange(cancelSession(PATH, id)), { status: 200, session: id })
      expect(running.logger.lines.join('\n')).toContain(
        'answered 400: The bytes of "dir/file.bin" do not have',
      )
    },
  )

  test('refuses a file that arrives in one fragment, and an empty file at Close-Session', async () => {
    const storage = new MemoryStorage()
    const connection = await connect(await start({ storage }))
    const id = await openExpecting(connection, WRONG)
    const refused = await connection.exchange(fragment(PATH, id, FILE))
    expectAck(refused, { status: 400, error: INVALID, session: id, offset: 0 })
    const empty = await openExpecting(connection, WRONG)
    const closed = await connection.exchange(closeSession(PATH, empty))
    expectAck(closed, { status: 400, error: INVALID, session: empty })
    expect([storage.bytes, storage.files.size]).toEqual([0, 0])
  })

  test('is compared by the server that receives the last byte', async () => {
    const root = await directory()
    const shared = () => ({
      storage: countReads(new FileStorage({ directory: root })),
      sessionStore: new FileSessionStore({ directory: root, shared: true }),
    })
    const one = await connect(await start(shared()))
    const id = await openExpecting(one, WRONG)
    await one.exchange(fragment(PATH, id, FILE, 0, 99_999))
    const options = shared()
    const other = await connect(await start(options))
    const refused = await other.exchange(fragment(PATH, id, FILE, 100_000))
    expectAck(refused, { status: 400, error: INVALID, session: id, offset: 0 })
    expect(options.storage.reads).toBe(1)
    expect(await readdir(root)).toEqual(['BITS-Sessions'])
  })

  test.each([
    'sha-256',
    'sha-256=1',
    'sha-256=::',
    `sha-256=:${base64('sha512')}:`,
    `sha-256=${base64('sha256')}`,
    `sha-256=(:${base64('sha256')}:)`,
    `SHA-256=:${base64('sha256')}:`,
    `${RIGHT},`,
    `${RIGHT} ${RIGHT}`,
    'sha-256=:*:',
    `${RIGHT}, x="${'y'.repeat(4096)}"`,
  ])('is refused at Create-Session if it is malformed: %s', async (reprDigest) => {
    const running = await start({ storage: new MemoryStorage() })
    const ack = await (await connect(running)).exchange(createWith(reprDigest))
    expectAck(ack, { status: 400, error: INVALID })
    expect(await running.bits.sessions()).toEqual([])
  })

  test.each(['', 'md5=:AAAA:', 'unixsum=:AAAA:, crc32c="?"', `${RIGHT};q=1`])(
    'may have unknown algorithms and parameters: %s',
    async (reprDigest) => {
      const storage = new MemoryStorage()
      const connection = await connect(await start({ storage }))
      const id = await openExpecting(connection, reprDigest)
      expect((await connection.exchange(fragment(PATH, id, FILE))).status).toBe(200)
      expect(storage.files.get('dir/file.bin')?.equals(FILE)).toBe(true)
    },
  )

  test('is read at Create-Session only', async () => {
    const storage = new MemoryStorage()
    const connection = await connect(await start({ storage }))
    const id = await openExpecting(connection, RIGHT)
    const headers = { 'BITS-Session-Id': id, 'Content-Range': `bytes 0-299999/300000`, 'Repr-Digest': WRONG }
    expect((await connection.exchange(packet('Fragment', PATH, headers, FILE))).status).toBe(200)
  })

  test('is not computed for an incomplete file', async () => {
    const running = await start({ storage: new MemoryStorage() })
    const connection = await connect(running)
    const id = await openExpecting(connection, WRONG)
    const whole = fragment(PATH, id, FILE)
    connection.write(whole.subarray(0, whole.length - 1))
    await untilHeld(running, FILE.length - 1)
    connection.reset()
    expect(await running.bits.sessions()).toHaveLength(1)
  })
})
