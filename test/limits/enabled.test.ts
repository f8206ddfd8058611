import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, test } from '@jest/globals'
import { BitsError, MemoryStorage } from 'express-bits-upload'
import { ask, pause, replyPath, upload } from '../delivery/support.js'
import { expectAck } from '../support/expect-ack.js'
import { sessionFiles } from '../support/files.js'
import { fixtures } from '../support/fixtures.js'
import { closeSession, createSession, fragment, openSession, packet } from '../support/raw.js'
import { contentOf } from '../support/upload-fixture.js'

const { start, connect, directory } = fixtures()

const PATH = '/uploads/file.bin'
const FILE = contentOf(1000)
const OFF = { status: 501, error: '0x80070005' }
const ID = '{A0FF5911-4144-45B3-BF27-27AFC8EC8A67}'

describe('enabled: false', () => {
  test('answers every packet 501 + 0x80070005', async () => {
    const running = await start({ storage: new MemoryStorage(), enabled: false })
    const connection = await connect(running)
    expectAck(await connection.exchange(packet('Ping', PATH)), OFF)
    expectAck(await connection.exchange(createSession(PATH)), OFF)
    expectAck(await connection.exchange(fragment(PATH, ID, FILE)), { ...OFF, session: ID })
    expectAck(await connection.exchange(closeSession(PATH, ID)), { ...OFF, session: ID })
  })

  test('removes all sessions and their data at startup, and no published file', async () => {
    const root = await directory()
    const first = await start({ directory: root, onUpload: () => 'reply' })
    const connection = await connect(first)
    const id = await openSession(connection, PATH)
    await connection.exchange(fragment(PATH, id, FILE, 0, 499))
    const { ack } = await upload(connection, '/uploads/done.bin', FILE)
    await first.stop()

    const off = await start({ directory: root, enabled: false })
    while ((await sessionFiles(root)).length > 0) await pause(10)
    expect(await off.bits.sessions()).toEqual([])
    expect((await ask(off, replyPath(PATH, ack))).status).toBe(404)
    expect(await readFile(join(root, 'done.bin'))).toEqual(FILE)
    await off.stop()

    const on = await start({ directory: root })
    const again = await (await connect(on)).exchange(fragment(PATH, id, FILE, 500))
    expectAck(again, { status: 500, error: '0x8020001F', session: id, offset: 0 })
  })

  test('passes all other requests on to the app', async () => {
    const running = await start(
      { storage: new MemoryStorage(), enabled: false },
      { after: (app) => app.use((_req, res) => void res.send('the app')) },
    )
    expect((await ask(running, PATH)).body.toString()).toBe('the app')
  })
})

describe('enabled as a function', () => {
  test('is called for each packet, and sessions survive while it returns false', async () => {
    const storage = new MemoryStorage()
    let on = true
    const running = await start({ storage, enabled: async () => on })
    const connection = await connect(running)
    const id = await openSession(connection, PATH)
    await connection.exchange(fragment(PATH, id, FILE, 0, 499))
    on = false
    expectAck(await connection.exchange(fragment(PATH, id, FILE, 500)), { ...OFF, session: id })
    expectAck(await connection.exchange(createSession(PATH)), OFF)
    on = true
    const ack = await connection.exchange(fragment(PATH, id, FILE, 500))
    expectAck(ack, { status: 200, session: id, offset: 1000 })
    expect(storage.files.get('file.bin')).toEqual(FILE)
  })

  test('receives the request', async () => {
    const running = await start({
      storage: new MemoryStorage(),
      enabled: (req) => req.get('User-Agent') === 'Microsoft BITS/7.8',
    })
    const connection = await connect(running)
    expect((await connection.exchange(packet('Ping', PATH))).status).toBe(200)
    const other = packet('Ping', PATH, { 'User-Agent': 'curl' })
    expectAck(await connection.exchange(other), OFF)
  })

  test('that throws decides the response by its error', async () => {
    const errors: unknown[] = [new Error('no idea'), new BitsError({ status: 429 }, 'slowly')]
    const running = await start({
      storage: new MemoryStorage(),
      enabled: () => {
        throw errors.shift()
      },
    })
    const connection = await connect(running)
    expectAck(await connection.exchange(packet('Ping', PATH)), { status: 500, error: '0x80004005' })
    expectAck(await connection.exchange(packet('Ping', PATH)), { status: 429, error: '0x801901AD' })
  })
})
