import { describe, expect, test } from '@jest/globals'
import express, { type ErrorRequestHandler, type Express, type RequestHandler } from 'express'
import { bitsUpload, MemoryStorage } from 'express-bits-upload'
import multer from 'multer'
import { expectAck, expectUsable } from '../support/expect-ack.js'
import { fixtures } from '../support/fixtures.js'
import { openSession, packet } from '../support/raw.js'

const { start, connect } = fixtures()

const PATH = '/uploads/file.json'
/** A body that every parser accepts: it is JSON and text, and could be a form. */
const FILE = Buffer.from('{"name":"value"}')

const always = { type: () => true }
const noop: RequestHandler = (_req, _res, next) => next()

const listening: RequestHandler = (req, _res, next) => {
  req.on('data', () => {})
  next()
}

const waiting: RequestHandler = (req, _res, next) => {
  req.on('data', () => {})
  req.on('end', () => next())
}

describe('mounted after middleware that reads bodies', () => {
  const culprits: [what: string, name: string, culprit: RequestHandler][] = [
    ['express.json()', 'express.json() or express.urlencoded()', express.json(always)],
    ['express.urlencoded()', 'express.json() or express.urlencoded()', express.urlencoded(always)],
    ['express.text()', 'express.text()', express.text(always)],
    ['express.raw()', 'express.raw()', express.raw(always)],
    ['a listener for data', 'a middleware that listens to the request', listening],
    ['a listener that waits for the end', 'a middleware that listens to the request', waiting],
  ]

  test.each(culprits)(
    '%s: a Fragment gets 500, and the log names the cause and the remedy',
    async (_, name, culprit) => {
      const storage = new MemoryStorage()
      const running = await start({ storage }, { before: (app) => app.use(culprit) })
      const errors: Error[] = []
      running.bits.on('error', (error) => errors.push(error))
      const connection = await connect(running)
      const id = await openSession(connection, PATH)
      const range = `bytes 0-${FILE.length - 1}/${FILE.length}`
      const headers = { 'BITS-Session-Id': id, 'Content-Range': range }
      const ack = await connection.exchange(packet('Fragment', PATH, headers, FILE))
      expectAck(ack, { status: 500, error: '0x80004005', session: id, offset: 0 })
      expect(storage.bytes).toBe(0)
      const sentence = `most likely by ${name}`
      expect(errors.map((error) => error.message)).toEqual([expect.stringContaining(sentence)])
      const logged = running.logger.lines.filter((line) => line.startsWith('error:'))
      expect(logged).toHaveLength(1)
      expect(logged[0]).toContain('To fix this, mount bitsUpload() above')
      await expectUsable(connection)
    },
  )

  test('multer: a Fragment gets 500, and the log names multer', async () => {
    const form = Buffer.from(
      '--x\r\nContent-Disposition: form-data; name="a"; filename="b"\r\n\r\nc\r\n--x--\r\n',
    )
    const running = await start(
      { storage: new MemoryStorage() },
      { before: (app) => app.use(multer().single('a')) },
    )
    const connection = await connect(running)
    const id = await openSession(connection, PATH)
    const headers = {
      'BITS-Session-Id': id,
      'Content-Range': `bytes 0-${form.length - 1}/${form.length}`,
      'Content-Type': 'multipart/form-data; boundary=x',
    }
    const ack = await connection.exchange(packet('Fragment', PATH, headers, form))
    expectAck(ack, { status: 500, error: '0x80004005', session: id, offset: 0 })
    expect(running.logger.lines.join('\n')).toContain('most likely by multer')
    await expectUsable(connection)
  })
})

describe('mounted after middleware that leaves a Fragment alone', () => {
  const harmless: [what: string, use: (app: Express) => void][] = [
    ['express.json() for JSON only', (app) => app.use(express.json())],
    [
      'all of Express’s parsers with their defaults',
      (app) => app.use(express.json(), express.urlencoded(), express.text(), express.raw()),
    ],
    ['multer', (app) => app.use(multer().any())],
    ['a middleware that only looks', (app) => app.use(noop)],
    ['a middleware that takes its time', (app) => app.use((_req, _res, next) => void setTimeout(next, 20))],
    ['a parser on another path', (app) => app.use('/other', express.raw(always))],
  ]
  test.each(harmless)('%s has no effect', async (_, before) => {
    const storage = new MemoryStorage()
    const running = await start({ storage }, { before })
    const connection = await connect(running)
    const id = await openSession(connection, PATH)
    const headers = { 'BITS-Session-Id': id, 'Content-Range': 'bytes 0-15/16' }
    const ack = await connection.exchange(packet('Fragment', PATH, headers, FILE))
    expectAck(ack, { status: 200, session: id, offset: 16 })
    expect(storage.files.get('file.json')).toEqual(FILE)
  })

  test('a parser that reads everything has no effect on packets without a body', async () => {
    const running = await start(
      { storage: new MemoryStorage() },
      { before: (app) => app.use(express.raw(always)) },
    )
    const connection = await connect(running)
    const id = await openSession(connection, PATH)
    const empty = packet('Fragment', PATH, { 'BITS-Session-Id': id, 'Content-Range': 'bytes */0' })
    expectAck(await connection.exchange(empty), { status: 200, session: id, offset: 0 })
    const close = packet('Close-Session', PATH, { 'BITS-Session-Id': id })
    expectAck(await connection.exchange(close), { status: 200, session: id })
  })
})

describe('mounted without a call, as app.use(bitsUpload)', () => {
  const SENTENCE =
    "bitsUpload creates the middleware and is not one itself: call it, as in app.use('/uploads', bitsUpload())."

  test('each request fails with a sentence that says to call it', async () => {
    const errors: unknown[] = []
    const watch: ErrorRequestHandler = (error, _req, res, _next) => {
      errors.push(error)
      res.sendStatus(500)
    }
    // JavaScript allows this; the types do not.
    const mistake = (app: Express) =>
      Reflect.apply(app.use, app, ['/mistake', bitsUpload]).use('/mistake', watch)
    const running = await start({ storage: new MemoryStorage() }, { before: mistake })
    const connection = await connect(running)
    expect((await connection.exchange(packet('Create-Session', '/mistake/file'))).status).toBe(500)
    expect((await fetch(`${running.origin}/mistake/file`)).status).toBe(500)
    expect(errors).toEqual([new TypeError(SENTENCE), new TypeError(SENTENCE)])
  })

  test('the requests of other frameworks are recognized too', () => {
    const request = { method: 'GET', url: '/', headers: {}, _events: {} }
    expect(() => Reflect.apply(bitsUpload, undefined, [request])).toThrow(SENTENCE)
  })
})
