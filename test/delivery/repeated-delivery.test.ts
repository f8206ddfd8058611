import { readFile, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, test } from '@jest/globals'
import { BitsError, MemoryStorage, type StagedUpload } from 'express-bits-upload'
import { uploadFile } from 'express-bits-upload/client'
import { expectAck } from '../support/expect-ack.js'
import { fixtures } from '../support/fixtures.js'
import { cancelSession, closeSession, fragment, openSession } from '../support/raw.js'
import { clientError, contentOf, FAST, withFile } from '../support/upload-fixture.js'
import { Application, ok, response } from './application.js'
import { ask, gate, pause, replyPath, upload } from './support.js'

const { start, connect, directory, afterwards } = fixtures()

const PATH = '/uploads/file.bin'
const FILE = contentOf(20_000)
const REFUSED = { error: '0x80004005', context: '0x7', offset: FILE.length }

describe('a delivery', () => {
  test('happens once, however often the last fragment is repeated after its success', async () => {
    const storage = new MemoryStorage()
    let calls = 0
    const running = await start({ storage, onUpload: () => `reply ${++calls}` })
    const uploaded: unknown[] = []
    running.bits.on('uploaded', (file) => uploaded.push(file))
    const connection = await connect(running)
    const { id, ack } = await upload(connection, PATH, FILE)
    for (const first of [0, 10_000, FILE.length - 1]) {
      const again = await connection.exchange(fragment(PATH, id, FILE, first))
      expectAck(again, { status: 200, session: id, offset: FILE.length })
      expect(again.header('BITS-Reply-URL')).toBe(ack.header('BITS-Reply-URL'))
    }
    expect((await connection.exchange(closeSession(PATH, id))).status).toBe(200)
    expect((await connection.exchange(closeSession(PATH, id))).status).toBe(200)
    expect(calls).toBe(1)
    expect(uploaded).toHaveLength(1)
  })

  test('is shared by repeated last fragments while it is in progress (D31)', async () => {
    const { opened, open } = gate()
    const called = gate()
    let calls = 0
    const running = await start({
      storage: new MemoryStorage(),
      async onUpload() {
        calls++
        called.open()
        await opened
        return 'one reply'
      },
    })
    const first = await connect(running)
    const id = await openSession(first, PATH)
    first.write(fragment(PATH, id, FILE))
    await called.opened
    first.reset()
    const others = [await connect(running), await connect(running)]
    for (const other of others) other.write(fragment(PATH, id, FILE, 5000))
    await pause(50)
    open()
    for (const other of others) {
      const ack = await other.ack()
      expectAck(ack, { status: 200, session: id, offset: FILE.length })
      expect((await ask(running, replyPath(PATH, ack))).body.toString()).toBe('one reply')
    }
    expect(calls).toBe(1)
  })

  test('that fails is reported to all who share it, and is repeated with the last fragment (D7)', async () => {
    const { opened, open } = gate()
    const called = gate()
    let calls = 0
    const running = await start({
      storage: new MemoryStorage(),
      async onUpload() {
        if (++calls > 1) return
        called.open()
        await opened
        throw new Error('not this time')
      },
    })
    const [first, second] = [await connect(running), await connect(running)]
    const id = await openSession(first, PATH)
    first.write(fragment(PATH, id, FILE))
    await called.opened
    second.write(fragment(PATH, id, FILE))
    await pause(50)
    open()
    expectAck(await first.ack(), { status: 500, session: id, ...REFUSED })
    expectAck(await second.ack(), { status: 500, session: id, ...REFUSED })
    expect(calls).toBe(1)
    const again = await second.exchange(fragment(PATH, id, FILE))
    expectAck(again, { status: 200, session: id, offset: FILE.length })
    expect(calls).toBe(2)
  })

  test('that failed is repeated at Close-Session', async () => {
    const storage = new MemoryStorage()
    let calls = 0
    const running = await start({
      storage,
      onUpload: () => {
        if (++calls === 1) throw new Error('not this time')
      },
    })
    const connection = await connect(running)
    const { id } = await upload(connection, PATH, FILE)
    expectAck(await connection.exchange(closeSession(PATH, id)), { status: 200, session: id })
    expect(calls).toBe(2)
    expect(storage.files.get('file.bin')).toEqual(FILE)
  })

  test('that failed is not repeated at Cancel-Session', async () => {
    const storage = new MemoryStorage()
    let calls = 0
    const running = await start({
      storage,
      onUpload: () => {
        calls++
        throw new Error('never')
      },
    })
    const connection = await connect(running)
    const { id } = await upload(connection, PATH, FILE)
    expectAck(await connection.exchange(cancelSession(PATH, id)), { status: 200, session: id })
    expect(calls).toBe(1)
    expect(storage.bytes).toBe(0)
  })

  test('is repeated from the staged bytes after a restart of the server', async () => {
    const root = await directory()
    const first = await start({
      directory: root,
      onUpload: () => {
        throw new Error('not this time')
      },
    })
    const { id } = await upload(await connect(first), PATH, FILE)
    await first.stop()
    const sizes: number[] = []
    const second = await start({ directory: root, onUpload: ({ size }) => void sizes.push(size) })
    const again = await (await connect(second)).exchange(fragment(PATH, id, FILE, FILE.length - 1))
    expectAck(again, { status: 200, session: id, offset: FILE.length })
    expect(sizes).toEqual([FILE.length])
    expect(await readFile(join(root, 'file.bin'))).toEqual(FILE)
  })

  test('whose publication fails is published later, without calling the application again', async () => {
    class Unwilling extends MemoryStorage {
      willing = false
      override async publish(upload: StagedUpload, options: { overwrite: boolean }) {
        if (!this.willing) throw Object.assign(new Error('no space'), { code: 'ENOSPC' })
        return super.publish(upload, options)
      }
    }
    const storage = new Unwilling()
    let calls = 0
    const running = await start({ storage, onUpload: () => `reply ${++calls}` })
    const connection = await connect(running)
    const { id, ack } = await upload(connection, PATH, FILE)
    expectAck(ack, { status: 500, error: '0x80070070', session: id, offset: FILE.length })
    storage.willing = true
    const again = await connection.exchange(fragment(PATH, id, FILE))
    expectAck(again, { status: 200, session: id, offset: FILE.length })
    expect((await ask(running, replyPath(PATH, again))).body.toString()).toBe('reply 1')
    expect(storage.files.get('file.bin')).toEqual(FILE)
  })

  test('refused with 403 is never repeated, not even after a restart', async () => {
    const root = await directory()
    let calls = 0
    const onUpload = () => {
      calls++
      throw new BitsError('access-denied', 'never')
    }
    const first = await start({ directory: root, onUpload })
    const connection = await connect(first)
    const { id, ack } = await upload(connection, PATH, FILE)
    expect([ack.status, ack.header('BITS-Error-Context')]).toEqual([403, '0x7'])
    const again = await connection.exchange(fragment(PATH, id, FILE))
    expect([again.status, again.header('BITS-Error-Context')]).toEqual([403, '0x7'])
    await first.stop()
    const second = await start({ directory: root, onUpload })
    const other = await connect(second)
    const later = await other.exchange(fragment(PATH, id, FILE))
    expect([later.status, later.header('BITS-Error-Context')]).toEqual([403, '0x7'])
    expect((await other.exchange(closeSession(PATH, id))).status).toBe(200)
    expect(calls).toBe(1)
    await expect(readFile(join(root, 'file.bin'))).rejects.toThrow('ENOENT')
  })

  test('whose staged data was removed gets 404, and publishes nothing', async () => {
    const root = await directory()
    const running = await start({ directory: root, onUpload: ({ path = '' }) => rm(path) })
    const { ack } = await upload(await connect(running), PATH, FILE)
    expect(ack.status).toBe(404)
    expect(ack.header('BITS-Error-Code')).toBe('0x80070002')
    await expect(readFile(join(root, 'file.bin'))).rejects.toThrow('ENOENT')
  })
})

describe('the client of an application', () => {
  /** Uploads while the application responds with these statuses, one by one, and then successfully. */
  async function withAnswers(...statuses: number[]) {
    const application = await Application.start(() => {
      const status = statuses.shift()
      return status === undefined ? ok({}, 'the reply') : response(status)
    })
    afterwards(() => application.stop())
    const storage = new MemoryStorage()
    const notification = { type: 'by-value', url: application.url } as const
    const running = await start({ storage, notification })
    const outcome = withFile(FILE.length, ({ path }) =>
      uploadFile(path, `${running.origin}${PATH}`, { ...FAST, fragmentSize: 8000 }),
    )
    return { application, storage, outcome }
  }

  test.each([302, 400, 403, 404, 501, 505])('gives up at %d', async (status) => {
    const { application, storage, outcome } = await withAnswers(status)
    const error = await clientError(outcome)
    expect(error).toMatchObject({ status, context: 'server application', fatal: true })
    expect(application.notifications).toHaveLength(1)
    expect(storage.files.size).toBe(0)
  })

  test.each([413, 416])('gets 400 for %d, and gives up', async (status) => {
    const { application, storage, outcome } = await withAnswers(status, status, status)
    const error = await clientError(outcome)
    expect(error).toMatchObject({ status: 400, context: 'server application', fatal: true })
    expect(application.notifications).toHaveLength(1)
    expect(storage.files.size).toBe(0)
  })

  test.each([306, 408, 409, 500, 502, 503, 504])(
    'sends the last fragment again after %d, which is delivered again',
    async (status) => {
      const { application, storage, outcome } = await withAnswers(status, status)
      const { reply } = await outcome
      expect(reply?.toString()).toBe('the reply')
      expect(application.notifications).toHaveLength(3)
      for (const { body } of application.notifications) expect(body.equals(FILE)).toBe(true)
      expect(storage.files.get('file.bin')).toEqual(FILE)
    },
  )
})
