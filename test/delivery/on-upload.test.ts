import { once } from 'node:events'
import { access, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import { buffer } from 'node:stream/consumers'
import { runInNewContext } from 'node:vm'
import { describe, expect, test } from '@jest/globals'
import {
  BitsError,
  type BitsUploadOptions,
  type CompletedUpload,
  MemoryStorage,
  type Reply,
} from 'express-bits-upload'

import { expectAck } from '../support/expect-ack.js'
import { openFiles, stagedFiles } from '../support/files.js'
import { fixtures } from '../support/fixtures.js'
import { closeSession, fragment, openSession } from '../support/raw.js'
import { contentOf } from '../support/upload-fixture.js'
import { ask, gate, pause, replyPath, upload } from './support.js'

const { start, connect, directory } = fixtures()

const PATH = '/uploads/dir/file.bin'
const FILE = contentOf(300_000)

describe('onUpload', () => {
  test('is awaited before publication and before the Ack of the last fragment', async () => {
    const root = await directory()
    const { opened, open } = gate()
    const called = gate()
    const running = await start({
      directory: root,
      onUpload: async () => {
        called.open()
        await opened
      },
    })
    const connection = await connect(running)
    const id = await openSession(connection, PATH)
    const acked = connection.exchange(fragment(PATH, id, FILE))
    await called.opened
    expect(await Promise.race([acked, pause(50)])).toBeUndefined()
    await expect(access(join(root, 'dir/file.bin'))).rejects.toThrow('ENOENT')
    open()
    expectAck(await acked, { status: 200, session: id, offset: FILE.length })
    expect(await readFile(join(root, 'dir/file.bin'))).toEqual(FILE)
  })

  test('emits an event for each refusal, with the status that the client receives', async () => {
    const refusals: unknown[] = []
    const errors: string[] = []
    const answers = [
      new BitsError({ status: 503 }, 'Later.'),
      new Error('A bug.'),
      new BitsError('access-denied', 'Never.'),
    ]
    const running = await start({
      storage: new MemoryStorage(),
      onUpload: () => {
        throw answers.shift()
      },
    })
    running.bits.on('refused', ({ destination, received }, refusal) => {
      refusals.push([destination, received, refusal])
    })
    running.bits.on('error', ({ message }) => errors.push(message))
    const connection = await connect(running)
    const id = await openSession(connection, PATH)
    const statuses: number[] = []
    // The last one is answered without calling `onUpload` again.
    for (let n = 0; n < 4; n += 1) {
      statuses.push((await connection.exchange(fragment(PATH, id, FILE))).status)
    }
    expect(statuses).toEqual([503, 500, 403, 403])
    expect(refusals).toEqual([
      ['dir/file.bin', FILE.length, { status: 503, message: 'Later.' }],
      ['dir/file.bin', FILE.length, { status: 403, message: 'Never.' }],
    ])
    expect(errors).toEqual(['A bug.'])
  })

  test('is not called before the last byte has arrived', async () => {
    const calls: string[] = []
    const running = await start({
      storage: new MemoryStorage(),
      onUpload: ({ destination }) => void calls.push(destination),
    })
    const connection = await connect(running)
    const id = await openSession(connection, PATH)
    await connection.exchange(fragment(PATH, id, FILE, 0, FILE.length - 2))
    expect(calls).toEqual([])
    await connection.exchange(fragment(PATH, id, FILE, FILE.length - 1))
    expect(calls).toEqual(['dir/file.bin'])
  })

  test('reads the staged bytes, as often as it likes, as a stream and by their path', async () => {
    const root = await directory()
    const contents: Buffer[] = []
    const running = await start({
      directory: root,
      async onUpload({ read, path = '' }) {
        for (let n = 0; n < 2; n++) contents.push(await buffer(read()))
        contents.push(await readFile(path))
      },
    })
    await upload(await connect(running), PATH, FILE)
    expect(contents).toHaveLength(3)
    for (const content of contents) expect(content.equals(FILE)).toBe(true)
  })

  test('leaves no file open that it does not read to its end', async () => {
    const root = await directory()
    const running = await start({
      directory: root,
      async onUpload({ read }) {
        read()
        const begun = read()
        await once(begun, 'readable')
        begun.read(4)
        return read()
      },
    })
    const { ack } = await upload(await connect(running), PATH, FILE)
    expect((await ask(running, replyPath(PATH, ack))).body.equals(FILE)).toBe(true)
    while ((await openFiles(root)).length > 0) await pause(10)
  })

  test('reads the staged bytes of a storage that has no paths', async () => {
    let arrived: CompletedUpload | undefined
    let content: Buffer | undefined
    const running = await start({
      storage: new MemoryStorage(),
      async onUpload(upload) {
        arrived = upload
        content = await buffer(upload.read())
      },
    })
    await upload(await connect(running), PATH, FILE)
    expect(content?.equals(FILE)).toBe(true)
    expect(arrived).not.toHaveProperty('path')
  })

  test('receives the upload, its session and the request', async () => {
    const passed: unknown[] = []
    const running = await start({
      storage: new MemoryStorage(),
      user: (req) => req.get('X-User'),
      onUpload: (upload, req) => void passed.push(upload, req.query),
    })
    const connection = await connect(running)
    const path = `${PATH}?ticket=7`
    const head = (packet: Buffer) =>
      Buffer.from(packet.toString('latin1').replace('\r\n', '\r\nX-User: ann\r\n'), 'latin1')
    const created = await connection.exchange(
      head(
        Buffer.from(
          `BITS_POST ${path} HTTP/1.1\r\nHost: h\r\nBITS-Packet-Type: Create-Session\r\nContent-Length: 0\r\n` +
            'BITS-Supported-Protocols: {7df0354d-249b-430f-820d-3d2a9bef4931}\r\n\r\n',
        ),
      ),
    )
    const id = created.header('BITS-Session-Id') ?? ''
    await connection.exchange(head(fragment(path, id, FILE)))
    expect(passed).toEqual([
      {
        destination: 'dir/file.bin',
        size: FILE.length,
        signal: expect.objectContaining({ aborted: false }),
        read: expect.any(Function),
        session: {
          uploadId: expect.stringMatching(/^[0-9a-f]{32}$/),
          destination: 'dir/file.bin',
          path: PATH,
          user: 'ann',
          state: 'receiving',
          received: FILE.length,
          total: FILE.length,
          rate: expect.any(Number),
          address: '127.0.0.1',
          fragmentSize: FILE.length,
          createdAt: expect.any(Date),
          lastActivity: expect.any(Date),
        },
      },
      { ticket: '7' },
    ])
  })

  test('is called for an empty file when its session is closed', async () => {
    const sizes: number[] = []
    const storage = new MemoryStorage()
    const running = await start({ storage, onUpload: ({ size }) => void sizes.push(size) })
    const connection = await connect(running)
    const id = await openSession(connection, PATH)
    expectAck(await connection.exchange(closeSession(PATH, id)), { status: 200, session: id })
    expect(sizes).toEqual([0])
    expect(storage.files.get('dir/file.bin')).toHaveLength(0)
  })

  test('must be a function', async () => {
    const storage = new MemoryStorage()
    const notification = { type: 'by-value', url: 'x' } as const
    await expect(start({ storage, onUpload: () => {}, notification })).rejects.toThrow(
      'use onUpload or notification, not both',
    )
  })
})

describe('onUpload refuses with what it throws, context 0x7', () => {
  class Teapot extends Error {
    readonly statusCode = 418
  }
  test.each<[string, unknown, { status: number; error: string }]>([
    ['a BitsError of the table', new BitsError('access-denied', 'no'), { status: 403, error: '0x80070005' }],
    [
      'a BitsError with a code of its own',
      new BitsError({ status: 409, hresult: 0xa0000001 }, 'no'),
      { status: 409, error: '0xA0000001' },
    ],
    [
      'an error with a status',
      Object.assign(new Error('no'), { status: 422 }),
      { status: 422, error: '0x801901A6' },
    ],
    ['an error with a statusCode', new Teapot('no'), { status: 418, error: '0x801901A2' }],
    ['a status that asks for smaller fragments', { status: 413 }, { status: 400, error: '0x80190190' }],
    ['a status that asks for another offset', { status: 416 }, { status: 400, error: '0x80190190' }],
    [
      'a BitsError that asks for smaller fragments',
      new BitsError('fragment-too-large', 'no'),
      { status: 400, error: '0x80190190' },
    ],
    [
      'a BitsError that asks for another offset',
      new BitsError('out-of-sync', 'no'),
      { status: 400, error: '0x80190190' },
    ],
    [
      'a BitsError that does, of its own context',
      new BitsError({ status: 416, context: 0x7 }, 'no'),
      { status: 400, error: '0x80190190' },
    ],
    [
      'a BitsError that asks for smaller fragments, with a code of its own',
      new BitsError({ status: 413, hresult: 0xa0000001 }, 'no'),
      { status: 400, error: '0xA0000001' },
    ],
    ['an object with a status', { status: 503 }, { status: 503, error: '0x801901F7' }],
    ['a status that leads elsewhere', { status: 302 }, { status: 302, error: '0x8019012E' }],
    ['a status that clients do not know', { status: 600 }, { status: 500, error: '0x80004005' }],
    ['the largest status', { status: 999 }, { status: 500, error: '0x80004005' }],
    ['an error without a status', new Error('broken'), { status: 500, error: '0x80004005' }],
    [
      'an error whose status is not a failure',
      Object.assign(new Error('no'), { status: 200 }),
      { status: 500, error: '0x80004005' },
    ],
    [
      'a system error',
      Object.assign(new Error('no'), { code: 'ENOENT' }),
      { status: 500, error: '0x80004005' },
    ],
    ['nothing at all', undefined, { status: 500, error: '0x80004005' }],
  ])('%s', async (_name, thrown, expected) => {
    const storage = new MemoryStorage()
    const running = await start({
      storage,
      onUpload: () => {
        throw thrown
      },
    })
    const { id, ack } = await upload(await connect(running), PATH, FILE)
    expectAck(ack, { ...expected, context: '0x7', session: id, offset: FILE.length })
    expect(storage.files.size).toBe(0)
  })

  test('a status that is replaced for the client is in the log', async () => {
    const running = await start({
      storage: new MemoryStorage(),
      onUpload: () => {
        throw new BitsError({ status: 413 }, 'Too much for a Friday.')
      },
    })
    await upload(await connect(running), PATH, FILE)
    expect(running.logger.lines.join()).toContain(
      "Too much for a Friday. (the application's 413, sent as 400)",
    )
  })

  test('the refusal of an empty file at Close-Session has no offset', async () => {
    const running = await start({
      storage: new MemoryStorage(),
      onUpload: () => {
        throw new BitsError({ status: 416 }, 'no')
      },
    })
    const connection = await connect(running)
    const id = await openSession(connection, PATH)
    const ack = await connection.exchange(closeSession(PATH, id))
    expectAck(ack, { status: 400, error: '0x80190190', context: '0x7', session: id })
  })

  test('a 416 carries no error headers, whichever side sends it (D1)', async () => {
    let authorized = true
    const running = await start({
      storage: new MemoryStorage(),
      authorize: () => {
        if (authorized) return true
        throw new BitsError({ status: 416, hresult: 0xa0000001 }, 'no')
      },
    })
    const connection = await connect(running)
    const id = await openSession(connection, PATH)
    authorized = false
    const ack = await connection.exchange(fragment(PATH, id, FILE))
    expectAck(ack, { status: 416, session: id })
  })

  test('the headers of a BitsError are sent', async () => {
    const running = await start({
      storage: new MemoryStorage(),
      onUpload: () => {
        throw new BitsError({ status: 503, headers: { 'Retry-After': '7' } }, 'busy')
      },
    })
    const { ack } = await upload(await connect(running), PATH, FILE)
    expect(ack.header('Retry-After')).toBe('7')
  })

  test('an unforeseen error is reported, and its message is not sent to the client', async () => {
    const running = await start({
      storage: new MemoryStorage(),
      onUpload: () => {
        throw new TypeError('a secret of the house')
      },
    })
    const errors: Error[] = []
    running.bits.on('error', (error) => errors.push(error))
    const { ack } = await upload(await connect(running), PATH, FILE)
    expect(errors.map(String)).toEqual(['TypeError: a secret of the house'])
    expect(JSON.stringify(ack.headers)).not.toContain('secret')
  })
})

describe('onUpload replies', () => {
  const REPLY = 'all is well: ✓'
  const replies: [string, () => Exclude<Reply, URL>][] = [
    ['a string', () => REPLY],
    ['a Buffer', () => Buffer.from(REPLY)],
    ['a Uint8Array', () => new Uint8Array(Buffer.from(REPLY))],
    [
      'a Uint8Array of another realm',
      () => runInNewContext('new Uint8Array(bytes)', { bytes: [...Buffer.from(REPLY)] }),
    ],
    ['an ArrayBuffer', () => new Uint8Array(Buffer.from(REPLY)).buffer],
    [
      'an ArrayBuffer of another realm',
      () => runInNewContext('new Uint8Array(bytes).buffer', { bytes: [...Buffer.from(REPLY)] }),
    ],
    ['a Blob', () => new Blob([REPLY])],
    ['a stream', () => Readable.from([Buffer.from(REPLY)])],
    ['a stream of strings', () => Readable.from([...REPLY])],
    ['a stream of the web', () => new Response(REPLY).body ?? 'no body'],
    [
      'an async generator',
      async function* () {
        yield* [...REPLY].slice(0, 5)
        yield Buffer.from([...REPLY].slice(5).join(''))
      },
    ],
  ]
  test.each(replies)('with %s, in both storages, in an object or directly', async (_name, reply) => {
    for (const place of [{ storage: new MemoryStorage() }, { directory: await directory() }]) {
      let calls = 0
      const onUpload = () => (calls++ === 0 ? reply() : { reply: reply() })
      const running = await start({ ...place, overwrite: true, onUpload })
      const connection = await connect(running)
      for (let n = 0; n < 2; n++) {
        const { ack } = await upload(connection, PATH, FILE)
        const { status, body } = await ask(running, replyPath(PATH, ack))
        expect(status).toBe(200)
        expect(body.toString()).toBe(REPLY)
      }
    }
  })

  test('with the body of a fetch()', async () => {
    const elsewhere = await start(
      { storage: new MemoryStorage() },
      { after: (app) => app.use((_req, res) => void res.send(REPLY)) },
    )
    const onUpload = async () => ({ reply: (await fetch(elsewhere.origin)).body })
    const running = await start({ storage: new MemoryStorage(), onUpload })
    const { ack } = await upload(await connect(running), PATH, FILE)
    expect((await ask(running, replyPath(PATH, ack))).body.toString()).toBe(REPLY)
  })

  test('with a static URL, which the client gets unchanged', async () => {
    const url = 'https://replies.example.com/static/reply.xml?a=1'
    const running = await start({ storage: new MemoryStorage(), onUpload: () => new URL(url) })
    const { ack } = await upload(await connect(running), PATH, FILE)
    expect(ack.header('BITS-Reply-URL')).toBe(url)
  })

  test.each<[string, Reply | null | undefined]>([
    ['nothing', undefined],
    ['an empty string', ''],
    ['an empty Buffer', Buffer.alloc(0)],
    ['an empty stream', Readable.from([])],
    ['an empty Blob', new Blob([])],
    ['null', null],
  ])('with %s: there is no reply URL', async (_name, reply) => {
    const running = await start({ storage: new MemoryStorage(), onUpload: () => ({ reply }) })
    const { id, ack } = await upload(await connect(running), PATH, FILE)
    expectAck(ack, { status: 200, session: id, offset: FILE.length })
    expect(ack.header('BITS-Reply-URL')).toBeUndefined()
  })

  test('with a stream that fails: the upload fails, and the next delivery succeeds', async () => {
    const root = await directory()
    const replies = [
      Readable.from(
        (function* () {
          yield 'half a re'
          throw new Error('the database is gone')
        })(),
      ),
      Readable.from(['whole']),
    ]
    const running = await start({ directory: root, onUpload: () => replies.shift() })
    const errors: string[] = []
    running.bits.on('error', (error) => errors.push(error.message))
    const connection = await connect(running)
    const { id, ack } = await upload(connection, PATH, FILE)
    expect(errors).toEqual(['the database is gone'])
    expectAck(ack, { status: 500, error: '0x80004005', context: '0x7', session: id, offset: FILE.length })
    expect(await stagedFiles(root)).toHaveLength(1)
    const again = await connection.exchange(fragment(PATH, id, FILE))
    expect((await ask(running, replyPath(PATH, again))).body.toString()).toBe('whole')
  })

  test.each<[string, URL, { status: number; error: string }]>([
    ['over 2,200 characters', new URL(`http://h/${'a'.repeat(2200)}`), { status: 400, error: '0x80070057' }],
    ['not of the web', new URL('file:///etc/passwd'), { status: 411, error: '0x80070057' }],
  ])('with a static URL that is %s: the upload is refused', async (_name, url, expected) => {
    const running = await start({ storage: new MemoryStorage(), onUpload: () => url })
    const { id, ack } = await upload(await connect(running), PATH, FILE)
    expectAck(ack, { ...expected, context: '0x7', session: id, offset: FILE.length })
  })

  test('with a storage that cannot keep replies: the upload fails', async () => {
    const storage = Object.assign(new MemoryStorage(), { writeReply: undefined })
    const running = await start({ storage, onUpload: () => 'reply' })
    const { id, ack } = await upload(await connect(running), PATH, FILE)
    expectAck(ack, { status: 500, error: '0x80004005', context: '0x7', session: id, offset: FILE.length })
    expect(running.logger.lines.join()).toContain('has no writeReply()')
  })

  test('with an empty reply and a storage that cannot keep replies: there is no reply', async () => {
    const storage = Object.assign(new MemoryStorage(), { writeReply: undefined })
    const running = await start({ storage, onUpload: () => Readable.from([Buffer.alloc(0)]) })
    const { id, ack } = await upload(await connect(running), PATH, FILE)
    expectAck(ack, { status: 200, session: id, offset: FILE.length })
    expect(ack.header('BITS-Reply-URL')).toBeUndefined()
  })
})

describe('onUpload returns publish: false', () => {
  test('and the bytes are removed once it has returned, while its reply is kept', async () => {
    const root = await directory()
    const running = await start({ directory: root, onUpload: () => ({ publish: false, reply: 'taken' }) })
    const uploaded: unknown[] = []
    running.bits.on('uploaded', (file) => uploaded.push(file))
    const connection = await connect(running)
    const { id, ack } = await upload(connection, PATH, FILE)
    expect(ack.status).toBe(200)
    await expect(access(join(root, 'dir/file.bin'))).rejects.toThrow('ENOENT')
    expect(await stagedFiles(root)).toEqual([expect.stringMatching(/\.reply$/)])
    expect((await ask(running, replyPath(PATH, ack))).body.toString()).toBe('taken')
    const again = await connection.exchange(fragment(PATH, id, FILE))
    expect(again.headers).toContainEqual(['BITS-Reply-URL', ack.header('BITS-Reply-URL')])
    await connection.exchange(closeSession(PATH, id))
    expect(await stagedFiles(root)).toEqual([])
    expect(uploaded).toEqual([])
  })
})

describe('onUpload returns an invalid result: the file is not published', () => {
  class Verdict {
    readonly #publish = false
    get isPublished() {
      return this.#publish
    }
  }
  const used = new Response('used').body
  used?.getReader()

  test.each<[string, () => unknown, string]>([
    ['a number', () => 42, 'onUpload returned 42: return nothing, a reply (a string, bytes'],
    ['false', () => false, 'onUpload returned false: return nothing'],
    ['an array', () => ['a'], 'onUpload returned an object of class Array: return nothing'],
    ['a Map', () => new Map(), 'onUpload returned an object of class Map: return nothing'],
    ['a response', () => new Response('a'), 'onUpload returned an object of class Response: return nothing'],
    [
      'an object of a class',
      () => new Verdict(),
      'onUpload returned an object of class Verdict: return nothing',
    ],
    ['an error', () => new Error('no'), 'onUpload returned an object of class Error: return nothing'],
    [
      'a stream that has nothing more',
      async () => {
        const read = Readable.from(['a'])
        await buffer(read)
        return read
      },
      'onUpload returned a stream that was read to its end: return the unread stream',
    ],
    ['a function', () => async function* rows() {}, 'onUpload returned the function or class rows: return'],
    ['an iterator', () => [].values(), 'onUpload returned an object'],
    [
      'an unknown name',
      () => ({ policy: 'x' }),
      'returned an object with "policy": return an object with reply, publish or both.',
    ],
    [
      'one more name',
      () => ({ publish: false, Reply: 'x' }),
      'returned an object with "Reply": return an object',
    ],
    [
      'a publish that is a word',
      () => ({ publish: 'no' }),
      'returned { publish: "no" }: publish is true or false.',
    ],
    [
      'a publish that is null',
      () => ({ publish: null }),
      'onUpload returned { publish: null }: publish is true or',
    ],
    [
      'a reply that is a number',
      () => ({ reply: 42 }),
      'onUpload returned { reply: 42 }: a reply is a string, bytes',
    ],
    [
      'a reply that is an object',
      () => ({ reply: { ok: 1 } }),
      'onUpload returned { reply: an object }: a reply is',
    ],
    [
      'a reply that is a list',
      () => ({ reply: ['a'] }),
      'onUpload returned { reply: an object of class Array }:',
    ],
    ['a stream with another reader', () => used, 'locked'],
    [
      'a stream of objects',
      () => Readable.from([{ row: 1 }]),
      'a stream that emitted an object: emit strings or',
    ],
    [
      'a stream of numbers',
      () => ({ reply: Readable.from([1, 2]) }),
      'onUpload returned a stream that emitted 1: emit',
    ],
    [
      'a generator of nothing',
      async function* () {
        yield undefined
      },
      'onUpload returned a stream that emitted undefined: emit strings or Uint8Arrays.',
    ],
  ])('%s', async (_name, returned, sentence) => {
    for (const place of [{ storage: new MemoryStorage() }, { directory: await directory() }]) {
      const running = await start(withOnUpload(place, returned))
      const errors: Error[] = []
      const uploaded: unknown[] = []
      running.bits.on('error', (error) => errors.push(error)).on('uploaded', (file) => uploaded.push(file))
      const { id, ack } = await upload(await connect(running), PATH, FILE)
      expectAck(ack, { status: 500, error: '0x80004005', context: '0x7', session: id, offset: FILE.length })
      expect(errors.map(String)).toEqual([expect.stringMatching(/^TypeError/)])
      expect(String(errors[0])).toContain(sentence)
      expect(running.logger.lines.join()).toContain(sentence)
      expect(uploaded).toEqual([])
    }
  })

  test('and accepts a result of any class and realm', async () => {
    class Answer {
      readonly publish = false
      readonly reply = 'of a class'
    }
    const answers: [() => unknown, string | undefined, boolean][] = [
      [() => new Answer(), 'of a class', false],
      [() => runInNewContext('({ reply: "of another realm" })'), 'of another realm', true],
      [() => Object.assign(Object.create(null), { publish: false }), undefined, false],
      [() => ({}), undefined, true],
      [() => null, undefined, true],
      [() => ({ publish: undefined, reply: undefined }), undefined, true],
    ]
    for (const [returned, reply, published] of answers) {
      const storage = new MemoryStorage()
      const running = await start(withOnUpload({ storage }, returned))
      const { ack } = await upload(await connect(running), PATH, FILE)
      expect(ack.status).toBe(200)
      expect(storage.files.size).toBe(published ? 1 : 0)
      if (reply === undefined) expect(ack.header('BITS-Reply-URL')).toBeUndefined()
      else expect((await ask(running, replyPath(PATH, ack))).body.toString()).toBe(reply)
    }
  })
})

/** Options as untyped code could pass them. */
function withOnUpload(options: BitsUploadOptions, onUpload: () => unknown): BitsUploadOptions {
  return Object.assign({}, options, { onUpload })
}
