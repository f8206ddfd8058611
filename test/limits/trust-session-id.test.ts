import { describe, expect, test } from '@jest/globals'
import { BitsError, type BitsUploadOptions, MemoryStorage } from 'express-bits-upload'
import { ask, replyPath } from '../delivery/support.js'
import { expectAck } from '../support/expect-ack.js'
import { fixtures } from '../support/fixtures.js'
import { cancelSession, closeSession, fragment, PROTOCOL, packet } from '../support/raw.js'
import { contentOf } from '../support/upload-fixture.js'

const { start, connect } = fixtures()

const PATH = '/uploads/file.bin'
const FILE = contentOf(1000)
const UNAUTHORIZED = { status: 401, error: '0x80190191' }

/** Recognizes Ann by a header that she sends only with Create-Session. */
const options = (trustSessionId: boolean): BitsUploadOptions => ({
  storage: new MemoryStorage(),
  trustSessionId,
  onUpload: () => 'reply',
  user(req) {
    if (req.get('Authorization') === 'Ann') return 'ann'
    throw new BitsError({ status: 401, headers: { 'WWW-Authenticate': 'Basic' } }, 'Who are you?')
  },
})

const create = (extra: Record<string, string> = {}, path = PATH) =>
  packet('Create-Session', path, { 'BITS-Supported-Protocols': PROTOCOL, ...extra })

async function session(trustSessionId: boolean) {
  const running = await start(options(trustSessionId))
  const connection = await connect(running)
  const created = await connection.exchange(create({ Authorization: 'Ann' }))
  expect(created.status).toBe(200)
  return { running, connection, id: created.header('BITS-Session-Id') ?? '' }
}

describe('trustSessionId', () => {
  test('off: each packet must prove who sent it', async () => {
    const { connection, id } = await session(false)
    const ack = await connection.exchange(fragment(PATH, id, FILE))
    expectAck(ack, { ...UNAUTHORIZED, session: id })
    expect(ack.header('WWW-Authenticate')).toBe('Basic')
    expectAck(await connection.exchange(cancelSession(PATH, id)), { ...UNAUTHORIZED, session: id })
  })

  test('on: the session id is proof enough to continue, to fetch the reply, and to close, twice', async () => {
    const { running, connection, id } = await session(true)
    const ack = await connection.exchange(fragment(PATH, id, FILE))
    expectAck(ack, { status: 200, session: id, offset: 1000 })
    expect((await ask(running, replyPath(PATH, ack))).status).toBe(200)
    for (let n = 0; n < 2; n++) {
      expectAck(await connection.exchange(closeSession(PATH, id)), { status: 200, session: id })
    }
  })

  test('on: an invalid session id proves nothing', async () => {
    const { connection } = await session(true)
    const other = '{A0FF5911-4144-45B3-BF27-27AFC8EC8A67}'
    const ack = await connection.exchange(fragment(PATH, other, FILE))
    expectAck(ack, { ...UNAUTHORIZED, session: other })
  })

  test('on: a session id proves nothing for another destination', async () => {
    const { connection, id } = await session(true)
    const ack = await connection.exchange(fragment('/uploads/another.bin', id, FILE))
    expectAck(ack, { ...UNAUTHORIZED, session: id })
  })

  test('on: a session id does not allow creating another session', async () => {
    const { connection, id } = await session(true)
    const ack = await connection.exchange(create({ 'BITS-Session-Id': id }))
    expect([ack.status, ack.header('BITS-Error-Code')]).toEqual([401, '0x80190191'])
  })

  test('on: the session id of a Ping is ignored (D6)', async () => {
    const { connection, id } = await session(true)
    const ack = await connection.exchange(packet('Ping', PATH, { 'BITS-Session-Id': id }))
    expect(ack.status).toBe(401)
  })

  test('on: the next session requires credentials again', async () => {
    const { connection } = await session(true)
    expect((await connection.exchange(create())).status).toBe(401)
  })
})
