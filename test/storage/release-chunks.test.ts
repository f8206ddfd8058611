import { readFile } from 'node:fs/promises'
import { IncomingMessage } from 'node:http'
import { Socket } from 'node:net'
import { join } from 'node:path'
import { PassThrough, type Readable } from 'node:stream'
import { describe, expect, test } from '@jest/globals'
import { FileStorage, type StagedUpload } from 'express-bits-upload'
import { gatherWrite } from '../../lib/storage/file/gather-write.js'
import { appendSegments } from '../../lib/storage/s3/append-segments.js'
import { BufferBudget } from '../../lib/storage/s3/buffer-budget.js'
import { allowRelease, allowReleaseOf } from '../../lib/util/release-chunks.js'
import { bytes } from '../support/bytes.js'
import { fixtures } from '../support/fixtures.js'
import { interceptedFileSystem } from '../support/intercepted-fs.js'
import { closeSession, fragment, openSession } from '../support/raw.js'

const { start, connect, directory } = fixtures()

const FILE = bytes(2_000_000)
const FRAGMENT = 700_000
const PATH = '/uploads/file.bin'
const never = new AbortController().signal

/** Uploads a file in fragments. @returns the published file. */
async function uploadTo(storage: FileStorage, root: string, options = {}): Promise<Buffer> {
  const connection = await connect(await start({ storage, ...options }))
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
  test.each([{}, { hash: 'sha256' }])(
    'is released once it is written, with the options %j',
    async (options) => {
      const root = await directory()
      const { storage, written } = watchedStorage(root)
      expect((await uploadTo(storage, root, options)).equals(FILE)).toBe(true)
      expect(written.length).toBeGreaterThan(6)
      expect(sizes(written)).toBe(0)
    },
  )

  /** Keeps what it sees of each body, as a subclass in an app may do. */
  const kept: Buffer[] = []
  class Tapping extends FileStorage {
    override append(upload: StagedUpload, offset: number, body: Readable, signal: AbortSignal) {
      kept.length = 0
      return super.append(upload, offset, this.tap(body), signal)
    }
    tap(body: Readable): Readable {
      return body.on('data', (chunk) => kept.push(chunk)).pause()
    }
  }
  class TappingInBetween extends Tapping {
    override tap(body: Readable): Readable {
      return super.tap(body.pipe(new PassThrough()))
    }
  }
  class TappingUpstream extends Tapping {
    override tap(body: Readable): Readable {
      body.on('data', (chunk) => kept.push(chunk))
      return body.pipe(new PassThrough())
    }
  }
  class TappingLater extends Tapping {
    override tap(body: Readable): Readable {
      return body.once('resume', () => void body.on('data', (chunk) => kept.push(chunk)))
    }
  }

  test.each(
    [Tapping, TappingInBetween, TappingUpstream, TappingLater].map(
      (Storage) => [Storage.name, Storage] as const,
    ),
  )('is kept if a storage also reads it: %s', async (_name, Storage) => {
    for (const options of [{}, { hash: 'sha256' }]) {
      const root = await directory()
      const { storage } = watchedStorage(root, Storage)
      expect((await uploadTo(storage, root, options)).equals(FILE)).toBe(true)
      const seen = Buffer.concat(kept)
      expect(seen.length).toBeGreaterThan(0)
      expect(seen.equals(FILE.subarray(-seen.length))).toBe(true)
    }
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
    const context = { budget: new BufferBudget(4_000_000), segmentSize: 300_000, put }
    const length = appendSegments(context, 0, body, never)
    for (let at = 0; at < FILE.length; at += 50_000) body.write(Buffer.from(FILE.subarray(at, at + 50_000)))
    body.end()
    expect(await length).toBe(FILE.length)
    expect(Buffer.concat(segments).equals(FILE)).toBe(true)
    expect(released).toBeGreaterThan(FILE.length / 2)
  })
})
