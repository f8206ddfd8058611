import { expect, test } from '@jest/globals'
import { MemoryStorage } from 'express-bits-upload'
import { expectAck, expectUsable } from '../support/expect-ack.js'
import { fixtures } from '../support/fixtures.js'
import { openSession, packet } from '../support/raw.js'

const { start, connect } = fixtures()

const INVALID_ARGUMENT = '0x80070057'
const UNKNOWN_ID = '{A0FF5911-4144-45B3-BF27-27AFC8EC8A67}'

test('MC-BUP 3.2.5.2.5: a Ping gets 200, and has no effect', async () => {
  const storage = new MemoryStorage()
  const running = await start({ storage })
  const connection = await connect(running)
  expectAck(await connection.exchange(packet('Ping', '/uploads/file.bin')), { status: 200 })
  expect(await running.bits.sessions()).toEqual([])
  expect(storage.bytes).toBe(0)
})

test('D6: the session id on a Ping is neither looked up nor echoed', async () => {
  const connection = await connect(await start({ storage: new MemoryStorage() }))
  const id = await openSession(connection, '/uploads/file.bin')
  for (const sessionId of [UNKNOWN_ID, 'nonsense', id]) {
    const ping = packet('Ping', '/uploads/other.bin', { 'BITS-Session-Id': sessionId })
    expectAck(await connection.exchange(ping), { status: 200 })
  }
})

test('a Ping is answered at the mount point, where no file can be stored', async () => {
  const connection = await connect(await start({ storage: new MemoryStorage() }))
  expectAck(await connection.exchange(packet('Ping', '/uploads')), { status: 200 })
  expectAck(await connection.exchange(packet('Ping', '/uploads/')), { status: 200 })
})

test('MC-BUP 2.2.4.3: a Ping with a body is malformed', async () => {
  const connection = await connect(await start({ storage: new MemoryStorage() }))
  const ack = await connection.exchange(packet('Ping', '/uploads/a', {}, Buffer.from('body')))
  expectAck(ack, { status: 400, error: INVALID_ARGUMENT })
  await expectUsable(connection)
})

test('MC-BUP 2.2.4: a Ping is used to test authentication, so authorize is called', async () => {
  const connection = await connect(await start({ storage: new MemoryStorage(), authorize: () => false }))
  const ack = await connection.exchange(packet('Ping', '/uploads/a'))
  expectAck(ack, { status: 403, error: '0x80070005' })
})
