import { once } from 'node:events'
import { createServer } from 'node:http'
import { createRequire } from 'node:module'
import type { AddressInfo } from 'node:net'
import { describe, expect, test } from '@jest/globals'
import express from 'express'
import { bitsUpload, MemoryStorage } from 'express-bits-upload'
import { bytes } from '../support/bytes.js'
import { expectAck, expectUsable } from '../support/expect-ack.js'
import { fixtures } from '../support/fixtures.js'
import { closeSession, createSession, fragment, openSession, PROTOCOL, packet } from '../support/raw.js'

const { start, connect, directory, afterwards } = fixtures()

const PATH = '/uploads/file.bin'
const FILE = bytes(3000)
const UNKNOWN_ID = '{A0FF5911-4144-45B3-BF27-27AFC8EC8A67}'
const INVALID_ARGUMENT = '0x80070057'
const ACCESS_DENIED = '0x80070005'
const MALFORMED = 'bytes 9-0/10'

describe('MC-BUP 3.2.5.2.3: the checks run in the order of the text', () => {
  const refuse = { authorize: () => false }
  const unknown = { 'BITS-Session-Id': UNKNOWN_ID, 'Content-Range': 'bytes 0-9/10' }
  const tenBytes = FILE.subarray(0, 10)

  test('malformed before permission', async () => {
    const connection = await connect(await start({ storage: new MemoryStorage(), ...refuse }))
    const ack = await connection.exchange(
      packet('Fragment', PATH, { ...unknown, 'Content-Range': MALFORMED }, tenBytes),
    )
    expectAck(ack, { status: 400, error: INVALID_ARGUMENT, session: UNKNOWN_ID })
  })

  test('permission before Content-Length', async () => {
    const connection = await connect(await start({ storage: new MemoryStorage(), ...refuse }))
    const ack = await connection.exchange(
      packet('Fragment', PATH, { ...unknown, 'Content-Length': undefined }),
    )
    expectAck(ack, { status: 403, error: ACCESS_DENIED, session: UNKNOWN_ID })
  })

  test('Content-Length before session', async () => {
    const connection = await connect(await start({ storage: new MemoryStorage() }))
    const ack = await connection.exchange(
      packet('Fragment', PATH, { ...unknown, 'Content-Length': undefined }),
    )
    expectAck(ack, { status: 411, error: INVALID_ARGUMENT, session: UNKNOWN_ID, offset: 0 })
    const cancel = packet('Cancel-Session', PATH, {
      'BITS-Session-Id': UNKNOWN_ID,
      'Content-Length': undefined,
      'Transfer-Encoding': 'chunked',
    })
    expectAck(await connection.exchange(cancel), {
      status: 411,
      error: INVALID_ARGUMENT,
      session: UNKNOWN_ID,
    })
  })

  test('session last', async () => {
    const connection = await connect(await start({ storage: new MemoryStorage() }))
    const ack = await connection.exchange(packet('Fragment', PATH, unknown, tenBytes))
    expectAck(ack, { status: 500, error: '0x8020001F', session: UNKNOWN_ID, offset: 0 })
  })

  test('a malformed fragment reveals the offset of a session only to an authorized client', async () => {
    let allowed = true
    const connection = await connect(await start({ storage: new MemoryStorage(), authorize: () => allowed }))
    const id = await openSession(connection, PATH)
    await connection.exchange(fragment(PATH, id, FILE, 0, 99))
    const malformed = packet(
      'Fragment',
      PATH,
      { 'BITS-Session-Id': id, 'Content-Range': MALFORMED },
      tenBytes,
    )
    const withOffset = await connection.exchange(malformed)
    expectAck(withOffset, { status: 400, error: INVALID_ARGUMENT, session: id, offset: 100 })
    allowed = false
    const withoutOffset = await connection.exchange(malformed)
    expectAck(withoutOffset, { status: 400, error: INVALID_ARGUMENT, session: id })
  })
})

describe('the request line', () => {
  test('W32: the target may be in absolute form', async () => {
    const storage = new MemoryStorage()
    const running = await start({ storage })
    const connection = await connect(running)
    const path = `${running.origin}/uploads/file.bin?token=1`
    const id = await openSession(connection, path)
    const ack = await connection.exchange(fragment(path, id, FILE))
    expectAck(ack, { status: 200, session: id, offset: 3000 })
    expectAck(await connection.exchange(closeSession('/uploads/file.bin', id)), { status: 200, session: id })
    expect(storage.files.get('file.bin')).toEqual(FILE)
  })

  test('an absolute form cannot lead out either', async () => {
    const connection = await connect(await start({ directory: await directory() }))
    for (const path of ['http://x/uploads/%2e%2e/y', 'http://x/uploads/..%5cy']) {
      expectAck(await connection.exchange(createSession(path)), { status: 403, error: ACCESS_DENIED })
    }
  })

  test('other verbs, and a BITS_POST elsewhere, are passed on to the rest of the app', async () => {
    const seen: string[] = []
    const running = await start(
      { storage: new MemoryStorage() },
      {
        after: (app) =>
          app.use((req, res) => {
            seen.push(`${req.method} ${req.originalUrl}`)
            res.status(204).end()
          }),
      },
    )
    const connection = await connect(running)
    await connection.exchange('GET /uploads/file.bin HTTP/1.1\r\nHost: x\r\n\r\n')
    await connection.exchange(packet('Ping', '/elsewhere'))
    await connection.exchange(packet('Ping', PATH).toString().replace('BITS_POST', 'POST'))
    await connection.exchange(packet('Ping', PATH).toString().replace('BITS_POST', 'PUT'))
    expect(seen).toEqual([
      'GET /uploads/file.bin',
      'BITS_POST /elsewhere',
      'POST /uploads/file.bin',
      'PUT /uploads/file.bin',
    ])
  })
})

test('packet types are matched in any case', async () => {
  const storage = new MemoryStorage()
  const connection = await connect(await start({ storage }))
  const protocols = { 'BITS-Supported-Protocols': PROTOCOL }
  const created = await connection.exchange(packet('CREATE-SESSION', PATH, protocols))
  const id = created.header('BITS-Session-Id') ?? ''
  const session = { 'BITS-Session-Id': id }
  const range = { ...session, 'Content-Range': 'bytes 0-2999/3000' }
  expectAck(await connection.exchange(packet('fragment', PATH, range, FILE)), {
    status: 200,
    session: id,
    offset: 3000,
  })
  expectAck(await connection.exchange(packet('PiNg', PATH)), { status: 200 })
  expectAck(await connection.exchange(packet('close-Session', PATH, session)), { status: 200, session: id })
  const other = await openSession(connection, '/uploads/other')
  const cancel = packet('CANCEL-session', '/uploads/other', { 'BITS-Session-Id': other })
  expectAck(await connection.exchange(cancel), { status: 200, session: other })
})

test('header names are matched in any case', async () => {
  const connection = await connect(await start({ storage: new MemoryStorage() }))
  const request = `BITS_POST ${PATH} HTTP/1.1\r\nhost: x\r\nbits-packet-type: Create-Session\r\n`
  const ack = await connection.exchange(
    `${request}BITS-SUPPORTED-PROTOCOLS: ${PROTOCOL}\r\ncontent-length: 0\r\n\r\n`,
  )
  expect(ack.status).toBe(200)
})

describe('MC-BUP 2.2.1: the value of a protocol header may have 4 KB', () => {
  const lengths: [length: number, status: number][] = [
    [4096, 200],
    [4097, 400],
  ]
  test.each(lengths)('%i bytes get %i', async (length, status) => {
    const connection = await connect(await start({ storage: new MemoryStorage() }))
    for (const name of ['BITS-Custom', 'Content-Name', 'content-type']) {
      const ack = await connection.exchange(packet('Ping', PATH, { [name]: 'x'.repeat(length) }))
      expectAck(ack, status === 200 ? { status } : { status, error: INVALID_ARGUMENT })
    }
    await expectUsable(connection)
  })
})

test('unknown headers are ignored (MC-BUP 2.2)', async () => {
  const connection = await connect(await start({ storage: new MemoryStorage() }))
  const ack = await connection.exchange(packet('Ping', PATH, { 'X-One': '1', 'BITS-Something': 'else' }))
  expectAck(ack, { status: 200 })
})

test('acceptPost: a POST with a packet type is a packet, another POST is not', async () => {
  const storage = new MemoryStorage()
  const running = await start(
    { storage, acceptPost: true },
    { after: (app) => app.use((_req, res) => void res.status(418).end()) },
  )
  const connection = await connect(running)
  const asPost = (request: Buffer) =>
    Buffer.concat([Buffer.from('POST'), request.subarray('BITS_POST'.length)])
  const created = await connection.exchange(asPost(createSession(PATH)))
  const id = created.header('BITS-Session-Id') ?? ''
  expect(created.status).toBe(200)
  expectAck(await connection.exchange(asPost(fragment(PATH, id, FILE))), {
    status: 200,
    session: id,
    offset: 3000,
  })
  const other =
    'POST /uploads/x HTTP/1.1\r\nHost: x\r\nX-HTTP-Method-Override: BITS_POST\r\nContent-Length: 0\r\n\r\n'
  expect((await connection.exchange(other)).status).toBe(418)
  expectAck(await connection.exchange(closeSession(PATH, id)), { status: 200, session: id })
})

describe('mounted in nested routers', () => {
  const express4: typeof express = createRequire(import.meta.url)('express4')

  test.each([
    ['Express 5', express],
    ['Express 4', express4],
  ])('in a router of a router of %s, with parameters', async (_, framework) => {
    const storage = new MemoryStorage()
    const bits = bitsUpload({ storage, logger: { info() {}, warn() {}, error() {} } })
    const app = framework()
    const outer = framework.Router()
    const inner = framework.Router()
    inner.use('/files', bits)
    outer.use('/:tenant', inner)
    app.use('/api/v1', outer)
    const server = createServer(app).listen(0, '127.0.0.1')
    await once(server, 'listening')
    afterwards(async () => {
      server.close()
      await bits.close()
    })
    const connection = await connect(server.address() as AddressInfo)
    for (const path of ['/api/v1/acme/files/a/b.bin', 'http://host/api/v1/acme/files/c.bin']) {
      const id = await openSession(connection, path)
      expectAck(await connection.exchange(fragment(path, id, FILE)), {
        status: 200,
        session: id,
        offset: 3000,
      })
      const elsewhere = path.replace('acme', 'other')
      expect((await connection.exchange(closeSession(elsewhere, id))).status).toBe(500)
      expectAck(await connection.exchange(closeSession(path, id)), { status: 200, session: id })
    }
    expect([...storage.files.keys()]).toEqual(['a/b.bin', 'c.bin'])
  })

  test('at the root', async () => {
    const storage = new MemoryStorage()
    const connection = await connect(await start({ storage }, { mount: '/' }))
    const id = await openSession(connection, '/file.bin')
    await connection.exchange(fragment('/file.bin', id, FILE))
    expect(storage.files.get('file.bin')).toEqual(FILE)
  })
})
