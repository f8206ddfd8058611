import { readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, test } from '@jest/globals'
import { FileSessionStore, MemoryStorage, type SessionInfo } from 'express-bits-upload'
import { expectAck } from '../support/expect-ack.js'
import { sessionFiles } from '../support/files.js'
import { fixtures } from '../support/fixtures.js'
import { cancelSession, closeSession, fragment, openSession } from '../support/raw.js'
import { type Running, untilHeld } from '../support/serve.js'
import { contentOf } from '../support/upload-fixture.js'

const { start, connect, directory } = fixtures()

const PATH = '/uploads/file.bin'
const FILE = contentOf(3000)
const NOT_FOUND = '0x8020001F'

async function onlySession({ bits }: Running): Promise<SessionInfo> {
  const [session] = await bits.sessions()
  if (!session) throw new Error('There is no open session.')
  return session
}

function listen({ bits }: Running): SessionInfo[] {
  const cancelled: SessionInfo[] = []
  bits.on('cancelled', (session) => cancelled.push(session))
  return cancelled
}

describe('bits.cancel()', () => {
  test('removes the staged bytes, emits the event, and the client finds no session', async () => {
    const root = await directory()
    const running = await start({ directory: root })
    const cancelled = listen(running)
    const connection = await connect(running)
    const id = await openSession(connection, PATH)
    await connection.exchange(fragment(PATH, id, FILE, 0, 999))
    const { uploadId } = await onlySession(running)
    expect(await running.bits.cancel(uploadId)).toBe('cancelled')
    expect((await sessionFiles(root)).filter((name) => !name.endsWith('.json'))).toEqual([])
    expect(await running.bits.sessions()).toEqual([])
    expect(cancelled).toMatchObject([{ uploadId, state: 'cancelled', received: 1000, total: 3000 }])
    const next = await connection.exchange(fragment(PATH, id, FILE, 1000))
    expectAck(next, { status: 500, error: NOT_FOUND, session: id, offset: 0 })
    const closed = await connection.exchange(closeSession(PATH, id))
    expectAck(closed, { status: 500, error: NOT_FOUND, session: id })
    expectAck(await connection.exchange(cancelSession(PATH, id)), { status: 200, session: id })
    expect(await readdir(root)).toEqual(['BITS-Sessions'])
    expect(await running.bits.cancel(uploadId)).toBe('cancelled')
    expect(cancelled).toHaveLength(1)
  })

  test('stops a fragment that is being received', async () => {
    const storage = new MemoryStorage()
    const running = await start({ storage })
    const connection = await connect(running)
    const id = await openSession(connection, PATH)
    const whole = fragment(PATH, id, FILE)
    connection.write(whole.subarray(0, whole.length - 2000))
    await untilHeld(running, 1000)
    const { uploadId } = await onlySession(running)
    expect(await running.bits.cancel(uploadId)).toBe('cancelled')
    expect(storage.bytes).toBe(0)
    const again = await connect(running)
    const ack = await again.exchange(fragment(PATH, id, FILE, 1000))
    expectAck(ack, { status: 500, error: NOT_FOUND, session: id, offset: 0 })
  })

  test('waits for a delivery in progress, and leaves the file that it publishes', async () => {
    const storage = new MemoryStorage()
    let finish = () => {}
    const finished = new Promise<void>((resolve) => {
      finish = resolve
    })
    let began = () => {}
    const beginning = new Promise<void>((resolve) => {
      began = resolve
    })
    const running = await start({
      storage,
      onUpload: async () => {
        began()
        await finished
      },
    })
    const cancelled = listen(running)
    const connection = await connect(running)
    const id = await openSession(connection, PATH)
    const sent = connection.exchange(fragment(PATH, id, FILE))
    await beginning
    const { uploadId } = await onlySession(running)
    const results = Promise.all([running.bits.cancel(uploadId), running.bits.cancel(uploadId)])
    finish()
    expectAck(await sent, { status: 200, session: id, offset: FILE.length })
    expect(await results).toEqual(['published', 'published'])
    expect(storage.files.get('file.bin')).toEqual(FILE)
    expect(cancelled).toEqual([])
    expectAck(await connection.exchange(closeSession(PATH, id)), { status: 200, session: id })
    expect(await running.bits.cancel(uploadId)).toBe('not-found')
  })

  test('several calls at once cancel the upload once', async () => {
    const running = await start({ storage: new MemoryStorage() })
    const cancelled = listen(running)
    await openSession(await connect(running), PATH)
    const { uploadId } = await onlySession(running)
    const results = await Promise.all(Array.from({ length: 5 }, () => running.bits.cancel(uploadId)))
    expect(results).toEqual(Array(5).fill('cancelled'))
    expect(cancelled).toHaveLength(1)
  })

  test.each([
    '',
    '../../file',
    'f'.repeat(32),
    `${'f'.repeat(32)}\n`,
    '{A0FF5911-4144-45B3-BF27-27AFC8EC8A67}',
  ])('finds nothing for %j', async (uploadId) => {
    const root = await directory()
    const running = await start({ directory: join(root, 'uploads') })
    expect(await running.bits.cancel(uploadId)).toBe('not-found')
  })

  test('finds the uploads of all tenants', async () => {
    const tenant = new MemoryStorage()
    const running = await start({ storage: new MemoryStorage(), perRequest: () => ({ storage: tenant }) })
    await openSession(await connect(running), PATH)
    const { uploadId } = await onlySession(running)
    expect(await running.bits.cancel(uploadId)).toBe('cancelled')
    expect(await running.bits.sessions()).toEqual([])
  })
})

test('bits.cancel() stops a fragment that another server with the same store receives', async () => {
  const root = await directory()
  const share = () => ({
    directory: root,
    sessionStore: new FileSessionStore({ directory: root, shared: true }),
  })
  const [one, other] = [await start(share()), await start(share())]
  const connection = await connect(one)
  const id = await openSession(connection, PATH)
  const whole = fragment(PATH, id, FILE)
  connection.write(whole.subarray(0, whole.length - 2000))
  await untilHeld(one, 1000)
  const { uploadId } = await onlySession(other)
  expect(await other.bits.cancel(uploadId)).toBe('cancelled')
  expect((await sessionFiles(root)).filter((name) => name.includes('.part'))).toEqual([])
  const ack = await (await connect(one)).exchange(fragment(PATH, id, FILE, 1000))
  expectAck(ack, { status: 500, error: NOT_FOUND, session: id, offset: 0 })
})

describe('bits.sweep()', () => {
  test('removes idle sessions at once', async () => {
    const storage = new MemoryStorage()
    const running = await start({ storage, sessionTimeout: 0.01 })
    const expired: SessionInfo[] = []
    running.bits.on('expired', (session) => expired.push(session))
    const connection = await connect(running)
    const id = await openSession(connection, PATH)
    await connection.exchange(fragment(PATH, id, FILE, 0, 999))
    while ((await running.bits.sessions()).length > 0) {
      await Promise.all([running.bits.sweep(), running.bits.sweep()])
    }
    expect(expired).toMatchObject([{ received: 1000 }])
    expect(storage.bytes).toBe(0)
  })

  test('rejects when the storage cannot be listed', async () => {
    const storage = new MemoryStorage()
    const running = await start({ storage })
    await running.bits.sweep()
    storage.staged = () => {
      throw new Error('The disk is gone.')
    }
    await expect(running.bits.sweep()).rejects.toThrow('The disk is gone.')
  })
})

test('bits.cancel() and bits.sweep() reject after bits.close()', async () => {
  const running = await start({ storage: new MemoryStorage() })
  await running.bits.close()
  await expect(running.bits.cancel('f'.repeat(32))).rejects.toThrow('bits.cancel(): bits.close() was called.')
  await expect(running.bits.sweep()).rejects.toThrow('bits.sweep(): bits.close() was called.')
})
