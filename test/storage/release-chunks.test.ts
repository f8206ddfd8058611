import { once } from 'node:events'
import { readFile } from 'node:fs/promises'
import { IncomingMessage } from 'node:http'
import { Socket } from 'node:net'
import { join } from 'node:path'
import { PassThrough, type Readable } from 'node:stream'
import { describe, expect, test } from '@jest/globals'
import { ROOT_CONTEXT } from '@opentelemetry/api'
import { AsyncLocalStorageContextManager } from '@opentelemetry/context-async-hooks'
import type { Express } from 'express'
import { type BitsUploadOptions, FileStorage, type StagedUpload } from 'express-bits-upload'
import { gatherWrite } from '../../lib/storage/file/gather-write.js'
import { appendSegments } from '../../lib/storage/s3/append-segments.js'
import { BufferBudget } from '../../lib/storage/s3/buffer-budget.js'
import { allowRelease, allowReleaseOf } from '../../lib/util/release-chunks.js'
import { attachRewriter } from '../../lib/verb/attach-rewriter.js'
import { patchServer } from '../../lib/verb/patch-server.js'
import { bytes } from '../support/bytes.js'
import { fixtures } from '../support/fixtures.js'
import { interceptedFileSystem } from '../support/intercepted-fs.js'
import { closeSession, fragment, openSession } from '../support/raw.js'
import type { Running } from '../support/serve.js'

const { start, connect, directory } = fixtures()

const FILE = bytes(2_000_000)
const FRAGMENT = 700_000
const PATH = '/uploads/file.bin'
const never = new AbortController().signal

interface Setup {
  readonly options?: BitsUploadOptions
  before?(app: Express): void
  prepare?(running: Running): void
}

/** Uploads a file in fragments. @returns the published file. */
async function uploadTo(storage: FileStorage, root: string, setup: Setup = {}): Promise<Buffer> {
  const { options, before, prepare } = setup
  const running = await start({ storage, ...options }, before ? { before } : {})
  prepare?.(running)
  const connection = await connect(running)
  const id = await openSession(connection, PATH)
  for (let first = 0; first < FILE.length; first += FRAGMENT) {
    const last = Math.min(first + FRAGMENT, FILE.length) - 1
    expect((await connection.exchange(fragment(PATH, id, FILE, first, last))).status).toBe(200)
  }
  expect((await connection.exchange(closeSession(PATH, id))).status).toBe(200)
  return readFile(join(root, 'file.bin'))
}

/** A storage, and the chunks that it has written. */
function watchedStorage(root: string, Storage = FileStorage) {
  const written: Buffer[] = []
  const calls = interceptedFileSystem(({ name, args }) => {
    if (name === 'writev' && Array.isArray(args[1])) written.push(...args[1])
  })
  return { storage: new Storage({ directory: root }, calls), written }
}

const sizes = (chunks: readonly Buffer[]) => chunks.reduce((sum, { length }) => sum + length, 0)

describe('the memory of a fragment', () => {
  const bound = new AsyncLocalStorageContextManager()
  const released: [string, Setup][] = [
    ['FileStorage', {}],
    ['the option hash', { options: { hash: 'sha256' } }],
    [
      'OpenTelemetry',
      {
        before: (app) =>
          app.use((req, _res, next) => {
            bound.bind(ROOT_CONTEXT, req)
            next()
          }),
      },
    ],
    [
      'a parser that cannot be restarted',
      {
        options: { acceptBitsPost: false },
        prepare: ({ server }) => patchServer(server, attachRewriter),
      },
    ],
  ]

  test.each(released)('is released once it is written, with %s', async (_name, setup) => {
    const root = await directory()
    const { storage, written } = watchedStorage(root)
    expect((await uploadTo(storage, root, setup)).equals(FILE)).toBe(true)
    expect(written.length).toBeGreaterThan(6)
    expect(sizes(written)).toBe(0)
  })

  /** What code of an app has kept of a body, with copies. */
  const kept: { readonly chunk: Buffer; readonly copy: Buffer }[] = []
  const keep = (chunk: Buffer) => void kept.push({ chunk, copy: Buffer.from(chunk) })

  const waysToKeep: Record<string, (body: Readable) => unknown> = {
    'a listener': (body) => body.on('data', keep).pause(),
    'a later listener': (body) => body.once('resume', () => void body.on('data', keep)),
    'a listener for one chunk': (body) =>
      body.once('resume', () => void body.prependOnceListener('data', keep)),
    'replacing push': (body) => {
      const { push } = body
      body.push = (chunk, encoding) => {
        if (chunk !== null) keep(chunk)
        return push.call(body, chunk, encoding)
      }
    },
    'replacing emit': (body) => {
      const { emit } = body
      body.emit = (event: string | symbol, ...args: unknown[]) => {
        const [chunk] = args
        if (event === 'data' && Buffer.isBuffer(chunk)) keep(chunk)
        return Reflect.apply(emit, body, [event, ...args])
      }
    },
    'replacing on': (body) => {
      const on = body.on.bind(body)
      const observed = new Map([['data', keep]])
      Object.assign(body, {
        on(event: string, listener: (chunk: Buffer) => void) {
          return on(event, (chunk: Buffer) => {
            observed.get(event)?.(chunk)
            listener(chunk)
          })
        },
      })
    },
  }

  /** Its subclasses keep what they see of each body. */
  class Keeping extends FileStorage {
    override append(upload: StagedUpload, offset: number, body: Readable, signal: AbortSignal) {
      return super.append(upload, offset, this.pass(body), signal)
    }
    pass(body: Readable): Readable {
      return body.pipe(new PassThrough()).on('data', keep).pause()
    }
  }
  class KeepingFirst extends Keeping {
    override pass(body: Readable): Readable {
      body.on('data', keep)
      return body.pipe(new PassThrough())
    }
  }

  async function expectKept(Storage = FileStorage, setup: Setup = {}) {
    for (const options of [{}, { hash: 'sha256' }] as const) {
      const root = await directory()
      kept.length = 0
      expect(
        (await uploadTo(new Storage({ directory: root }), root, { ...setup, options })).equals(FILE),
      ).toBe(true)
      expect(kept.length).toBeGreaterThan(0)
      expect(kept.every(({ chunk, copy }) => chunk.equals(copy))).toBe(true)
    }
  }

  /** A storage that does something with each body before it stores it. */
  const observing = (observe: (body: Readable) => unknown) =>
    class extends FileStorage {
      override async append(upload: StagedUpload, offset: number, body: Readable, signal: AbortSignal) {
        await observe(body)
        return super.append(upload, offset, body, signal)
      }
    }

  test.each(Object.entries(waysToKeep))('is kept if other code may keep it: %s', async (_name, observe) => {
    await expectKept(observing(observe))
    await expectKept(FileStorage, {
      before: (app) =>
        app.use((req, _res, next) => {
          if (req.get('BITS-Packet-Type') === 'Fragment') observe(req)
          next()
        }),
    })
  })

  test('is kept if a storage unshifts what it has read', async () => {
    await expectKept(
      observing(async (body) => {
        await once(body, 'readable')
        const chunk = body.read()
        keep(chunk)
        body.unshift(chunk)
      }),
    )
  })

  test('is kept if a storage pipes it', async () => {
    await expectKept(Keeping)
    await expectKept(KeepingFirst)
  })

  test('is not that of the packets that a listener of the connection receives', async () => {
    await expectKept(FileStorage, {
      prepare: ({ server }) => server.on('connection', (socket) => socket.on('data', keep)),
    })
  })

  test('is kept if the request does not come from a parser of Node', async () => {
    const chunk = Buffer.from(FILE)
    const req = new IncomingMessage(new Socket())
    allowReleaseOf(req)
    req.push(chunk)
    req.push(null)
    const file = {
      writev: async () => ({ bytesWritten: chunk.length }),
      write: () => Promise.reject(new Error()),
    }
    expect(await gatherWrite(file, 0, req, never)).toBe(chunk.length)
    expect(chunk.equals(FILE)).toBe(true)
  })
})

describe('a chunk is released only', () => {
  test('when it is in the file', async () => {
    const released = new Set<Buffer>()
    const body = new PassThrough()
    allowRelease(body, (chunks) => {
      for (const chunk of chunks) released.add(chunk)
    })
    const written: Buffer[] = []
    const file = {
      async writev(chunks: Buffer[]) {
        await new Promise(setImmediate)
        expect(chunks.filter((chunk) => released.has(chunk))).toEqual([])
        written.push(...chunks)
        return { bytesWritten: sizes(chunks) }
      },
      write: () => Promise.reject(new Error('No write was short.')),
    }
    const length = gatherWrite(file, 0, body, never)
    for (let at = 0; at < FILE.length; at += 50_000) body.write(FILE.subarray(at, at + 50_000))
    body.end()
    expect(await length).toBe(FILE.length)
    expect([...released]).toEqual(written)
  })

  test('never, when it cannot be written', async () => {
    const released: Buffer[] = []
    const body = new PassThrough()
    allowRelease(body, (chunks) => released.push(...chunks))
    const fail = () => Promise.reject(new Error('The disk is full.'))
    const length = gatherWrite({ writev: fail, write: fail }, 0, body, never)
    body.end(FILE)
    await expect(length).rejects.toThrow('The disk is full.')
    expect(released).toEqual([])
  })

  test('once: what cannot be released does not fail the upload', async () => {
    const socket = new Socket()
    const req = new IncomingMessage(socket)
    Object.assign(socket, { parser: { incoming: req } })
    allowReleaseOf(req)
    const chunk = Buffer.from(FILE.subarray(0, 100_000))
    // Fails in both ways to release: it is freed already, or twice in one transfer list.
    req.push(chunk)
    req.push(chunk)
    req.push(null)
    let count = 0
    const file = {
      async writev(chunks: Buffer[]) {
        count += chunks.length
        return { bytesWritten: sizes(chunks) }
      },
      write: () => Promise.reject(new Error('No write was short.')),
    }
    expect(await gatherWrite(file, 0, req, never)).toBe(200_000)
    expect(count).toBe(2)
  })

  test('in time to report its failure to the storage', async () => {
    const body = new PassThrough()
    allowRelease(body, () => {
      throw new Error('The bytes were not hashed.')
    })
    const file = {
      writev: async (chunks: Buffer[]) => ({ bytesWritten: sizes(chunks) }),
      write: () => Promise.reject(new Error('No write was short.')),
    }
    const length = gatherWrite(file, 0, body, never)
    body.end(FILE)
    await expect(length).rejects.toThrow('not hashed')
  })

  test('when S3 segments have a copy of it', async () => {
    let released = 0
    const body = new PassThrough()
    // Empties the chunk, as releasing does.
    allowRelease(body, (chunks) => {
      for (const chunk of chunks) {
        released += chunk.length
        chunk.fill(0)
      }
    })
    const segments: Buffer[] = []
    const put = async (segment: Buffer) => {
      await new Promise(setImmediate)
      segments.push(Buffer.from(segment))
    }
    const budget = new BufferBudget(4_000_000)
    const context = { budget, segmentSize: 300_000, hashAlgorithm: 'sha256' as const, put }
    const length = appendSegments(context, 0, body, never)
    for (let at = 0; at < FILE.length; at += 50_000) body.write(Buffer.from(FILE.subarray(at, at + 50_000)))
    body.end()
    expect(await length).toBe(FILE.length)
    expect(Buffer.concat(segments).equals(FILE)).toBe(true)
    expect(released).toBe(FILE.length)
  })
})
