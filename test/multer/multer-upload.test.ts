import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { describe, expect, test } from '@jest/globals'
import type { RequestHandler } from 'express'
import { type BitsUploadOptions, type CompletedUpload, MemoryStorage } from 'express-bits-upload'
import { type MulterEngine, type MulterFile, multerUpload } from 'express-bits-upload/multer'
import multer, { type StorageEngine } from 'multer'
import multerS3 from 'multer-s3'
import { ask, replyPath, upload } from '../delivery/support.js'
import { BUCKET, FakeS3 } from '../support/fake-s3/fake-s3.js'
import { openFiles } from '../support/files.js'
import { fixtures } from '../support/fixtures.js'
import type { RawAck } from '../support/raw.js'
import type { Running } from '../support/serve.js'
import { contentOf } from '../support/upload-fixture.js'

const { start, connect, directory, afterwards } = fixtures()

const PATH = '/uploads/dir/report.csv'
const FILE = contentOf(200_000)

/** A handler as many apps have one, written for a form. */
const handler: RequestHandler = (req, res) => {
  res.status(201).json({ file: req.file, body: req.body })
}

interface Subject {
  readonly engine: StorageEngine
  /** The files that the engine has stored, by name. */
  stored(): Promise<Record<string, Buffer>>
}

const ENGINES: Record<string, () => Promise<Subject>> = {
  'multer.diskStorage()': async () => {
    const path = await directory()
    const filename: multer.DiskStorageOptions['filename'] = (req, file, done) =>
      done(null, `${req.query.id}-${file.originalname}`)
    const stored = async () => {
      const entries = (await readdir(path)).map(async (name) => [name, await readFile(join(path, name))])
      return Object.fromEntries(await Promise.all(entries))
    }
    return { engine: multer.diskStorage({ destination: path, filename }), stored }
  },
  'multer-s3': async () => {
    const s3 = await FakeS3.start({})
    afterwards(() => s3.close())
    const key = (_req: unknown, file: MulterFile, done: (error: null, key: string) => void) =>
      done(null, file.originalname)
    const stored = async () =>
      Object.fromEntries(s3.objects.keys.map((name) => [name, s3.objects.find(name)?.bytes ?? Buffer.of()]))
    return { engine: multerS3({ s3: s3.client(), bucket: BUCKET, key }), stored }
  },
  'a hand-written engine': async () => {
    const files = new Map<string, Buffer>()
    const engine: StorageEngine = {
      _handleFile(_req, file, done) {
        file.stream.toArray().then((chunks) => {
          files.set(file.originalname, Buffer.concat(chunks))
          done(null, { filename: file.originalname })
        }, done)
      },
      _removeFile(_req, file, done) {
        files.delete(file.filename)
        done(null)
      },
    }
    return { engine, stored: async () => Object.fromEntries(files) }
  },
}

/** Uploads {@link FILE} to an app that handles uploads in `onUpload`. */
async function send(onUpload: NonNullable<BitsUploadOptions['onUpload']>, content = FILE) {
  const running = await start({ storage: new MemoryStorage(), onUpload })
  const path = `${PATH}?id=7`
  const { ack } = await upload(await connect(running), path, content)
  return { ack, running, reply: () => replyOf(running, ack) }
}

async function replyOf(running: Running, ack: RawAck): Promise<Buffer> {
  return (await ask(running, replyPath(PATH, ack))).body
}

describe.each(Object.entries(ENGINES))('%s', (_name, make) => {
  test('stores the bytes, and the handler sees the same file and fields as from a form', async () => {
    const { engine, stored } = await make()
    const { ack, running, reply } = await send(multerUpload(engine, handler))
    expect(ack.status).toBe(200)
    const byBits = JSON.parse((await reply()).toString())
    expect(Object.values(await stored()).map((content) => content.equals(FILE))).toEqual([true])
    expect(await running.bits.sessions()).toHaveLength(1)

    const form = new FormData()
    form.append('id', '7')
    form.append('file', new Blob([FILE], { type: 'application/octet-stream' }), 'report.csv')
    const app = await start(
      { enabled: false },
      {
        before: (express) => void express.post('/form', multer({ storage: engine }).single('file'), handler),
      },
    )
    const response = await fetch(`${app.origin}/form?id=7`, { method: 'POST', body: form })
    const byForm: unknown = await response.json()
    // The size is added for engines that do not report it, and each object has a location of its own.
    expect(byBits).toMatchObject(Object(byForm))
  })

  test('removes the file that the handler refuses, and the client gets the status', async () => {
    const { engine, stored } = await make()
    const { ack } = await send(multerUpload(engine, (_req, res) => void res.status(422).send('no')))
    expect([ack.status, ack.header('BITS-Error-Context')]).toEqual([422, '0x7'])
    expect(await stored()).toEqual({})
  })

  test('removes the file when the handler passes an error to next() or throws', async () => {
    const error = Object.assign(new Error('no'), { status: 403 })
    const handlers: RequestHandler[] = [
      (_req, _res, next) => next(error),
      () => {
        throw error
      },
      () => Promise.reject(error),
    ]
    for (const failing of handlers) {
      const { engine, stored } = await make()
      const { ack } = await send(multerUpload(engine, failing))
      expect([ack.status, ack.header('BITS-Error-Context')]).toEqual([403, '0x7'])
      expect(await stored()).toEqual({})
    }
  })

  test('accepts an empty file', async () => {
    const { engine, stored } = await make()
    await multerUpload(engine)(uploadOf(Buffer.of()), await requestOf())
    expect(Object.values(await stored()).map(({ length }) => length)).toEqual([0])
  })
})

test('multer.memoryStorage(): the handler gets the bytes', async () => {
  const { reply } = await send(
    multerUpload(multer.memoryStorage(), (req, res) => void res.send(req.file?.buffer.subarray(0, 1000))),
  )
  expect((await reply()).equals(FILE.subarray(0, 1000))).toBe(true)
})

describe('the response of the handler', () => {
  const replyTo = async (respond: RequestHandler) =>
    (await (await send(multerUpload(multer.memoryStorage(), respond))).reply()).toString()

  test('may be written in pieces, piped or sent from a file', async () => {
    const path = join(await directory(), 'reply.txt')
    await writeFile(path, 'from a file')
    expect(await replyTo((_req, res) => void res.sendFile(path))).toBe('from a file')
    expect(await replyTo((_req, res) => pipeline(Readable.from(['a', 'b', 'c']), res))).toBe('abc')
    const chunked: RequestHandler = (_req, res) => {
      res.set('Transfer-Encoding', 'chunked').write('one,')
      res.end('two')
    }
    expect(await replyTo(chunked)).toBe('one,two')
  })

  test('is no reply when it is empty, a redirect, or next()', async () => {
    const handlers: RequestHandler[] = [
      (_req, res) => void res.end(),
      (_req, res) => res.redirect(303, '/'),
      (_req, _res, next) => next(),
    ]
    for (const respond of handlers) {
      const { ack } = await send(multerUpload(multer.memoryStorage(), respond))
      expect([ack.status, ack.header('BITS-Reply-URL')]).toEqual([200, undefined])
    }
  })
})

describe('fileFilter', () => {
  const refuse = (_req: unknown, _file: unknown, done: (error: null, accept: boolean) => void) =>
    done(null, false)

  test('that returns false lets the handler decide, without a file', async () => {
    const { reply } = await send(multerUpload(multer.memoryStorage(), handler, { fileFilter: refuse }))
    expect((await reply()).toString()).toBe('{"body":{"id":"7"}}')
  })

  test('that returns false refuses permanently if there is no handler', async () => {
    const { ack } = await send(multerUpload(multer.memoryStorage(), undefined, { fileFilter: refuse }))
    expect([ack.status, ack.header('BITS-Error-Context')]).toEqual([403, '0x7'])
  })
})

/** An upload as passed to `onUpload`. */
const uploadOf = (
  content: Buffer,
  {
    signal = new AbortController().signal,
    read = () => Readable.from(content.length > 0 ? [content] : []),
  } = {},
): CompletedUpload => ({
  session: {
    uploadId: '0'.repeat(32),
    destination: 'report.csv',
    path: PATH,
    state: 'receiving',
    received: content.length,
    rate: 0,
    createdAt: new Date(),
    lastActivity: new Date(),
  },
  destination: 'report.csv',
  size: content.length,
  signal,
  read,
})

/** A request of an Express app. */
async function requestOf() {
  let found: Parameters<RequestHandler>[0] | undefined
  const { origin } = await start(
    { enabled: false },
    {
      before: (app) =>
        void app.get('/request', (req, res) => {
          found = req
          res.end()
        }),
    },
  )
  await (await fetch(`${origin}/request?id=7`)).text()
  if (!found) throw new Error('There was no request.')
  return found
}

describe('when something fails while the engine is storing', () => {
  const failingStream = () =>
    Readable.from(
      (async function* () {
        yield FILE.subarray(0, 100_000)
        throw new Error('the disk is gone')
      })(),
    )

  test('an engine that never calls back does not keep the client waiting', async () => {
    const onUpload = multerUpload(multer.memoryStorage())
    const broken = uploadOf(FILE, { read: failingStream })
    await expect(onUpload(broken, await requestOf())).rejects.toThrow('the disk is gone')
  })

  test('an incomplete file is removed, and no file stays open', async () => {
    const path = await directory()
    const onUpload = multerUpload(multer.diskStorage({ destination: path }))
    const broken = uploadOf(FILE, { read: failingStream })
    await expect(onUpload(broken, await requestOf())).rejects.toThrow('the disk is gone')
    expect([await readdir(path), await openFiles(path)]).toEqual([[], []])
  })

  test('an aborted signal stops the engine, and its file is removed', async () => {
    const path = await directory()
    const controller = new AbortController()
    const stalled = () => new Readable({ read() {} })
    const onUpload = multerUpload(multer.diskStorage({ destination: path }))
    const request = await requestOf()
    const delivered = onUpload(uploadOf(FILE, { signal: controller.signal, read: stalled }), request)
    while ((await readdir(path)).length === 0) await new Promise((resolve) => setTimeout(resolve, 5))
    controller.abort(new Error('the lock is lost'))
    await expect(delivered).rejects.toThrow('the lock is lost')
    expect([await readdir(path), await openFiles(path)]).toEqual([[], []])
  })

  test('an older file that could not be opened stays', async () => {
    const path = await directory()
    await mkdir(join(path, 'taken'))
    const engine = multer.diskStorage({
      destination: path,
      filename: (_req, _file, done) => done(null, 'taken'),
    })
    let removed = 0
    const watched: MulterEngine = {
      _handleFile: (...given) => Reflect.apply(engine._handleFile, engine, given),
      _removeFile: (_req, _file, done) => done(removed++ < 0 ? new Error('never') : null),
    }
    await expect(multerUpload(watched)(uploadOf(FILE), await requestOf())).rejects.toThrow('EISDIR')
    expect(removed).toBe(0)
  })

  test('a file that arrives after the failure is removed', async () => {
    const removed: string[] = []
    let finish: () => void = () => {}
    const late: MulterEngine = {
      _handleFile(_req, _file, done) {
        finish = () => done(null, { originalname: 'late' })
      },
      _removeFile(_req, file, done) {
        removed.push(file.originalname)
        done(null)
      },
    }
    const controller = new AbortController()
    const delivered = multerUpload(late)(uploadOf(FILE, { signal: controller.signal }), await requestOf())
    controller.abort(new Error('stop'))
    await expect(delivered).rejects.toThrow('stop')
    finish()
    expect(removed).toEqual(['late'])
  })

  test('an engine that stores only part of the bytes does not succeed', async () => {
    const early: MulterEngine = {
      _handleFile: (_req, _file, done) => done(null, {}),
      _removeFile: (_req, _file, done) => done(null),
    }
    const onUpload = multerUpload(early)
    await expect(onUpload(uploadOf(FILE), await requestOf())).rejects.toThrow('after 0 of 200000 bytes')
  })
})

test('invalid arguments are refused', () => {
  expect(() => Reflect.apply(multerUpload, undefined, [{}])).toThrow(
    'a storage engine of multer, such as multer.diskStorage(); it lacks _handleFile(), _removeFile()',
  )
  expect(() => Reflect.apply(multerUpload, undefined, [multer.memoryStorage(), 'x'])).toThrow('handler')
  expect(() =>
    Reflect.apply(multerUpload, undefined, [multer.memoryStorage(), handler, { fieldName: 'x' }]),
  ).toThrow('did you mean fieldname?')
})
