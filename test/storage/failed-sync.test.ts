import { stat, unlink } from 'node:fs/promises'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import { beforeEach, describe, expect, test } from '@jest/globals'
import { type Durability, FileStorage } from 'express-bits-upload'
import { StagedFiles } from '../../lib/storage/file/staged-data.js'
import { type FileSystem, fsync, nodeFileSystem } from '../../lib/util/fs.js'
import { quickCalls } from '../../lib/util/quick-calls.js'
import { fixtures } from '../support/fixtures.js'
import { fragment, openSession, RawConnection } from '../support/raw.js'
import { serve } from '../support/serve.js'

const { directory: newDirectory } = fixtures()

const UPLOAD = { uploadId: '1'.repeat(32), destination: 'file', total: 10 }
const never = () => new AbortController().signal
const failure = () => Object.assign(new Error('input/output error'), { code: 'EIO' })

let directory: string
/** Syncs that fail before one succeeds again. */
let failures: number
let syncs: number

beforeEach(async () => {
  directory = await newDirectory()
  failures = 0
  syncs = 0
})

async function sync(file: number): Promise<void> {
  syncs++
  if (failures-- > 0) throw failure()
  await fsync(file)
}

async function storageWith(durability: Durability): Promise<FileStorage> {
  const storage = new FileStorage({ directory, durability }, { fsync: sync })
  await storage.open()
  return storage
}

const append = (storage: FileStorage, offset: number, text: string) =>
  storage.append(UPLOAD, offset, Readable.from([Buffer.from(text)]), never())

describe('a sync of a fragment that failed', () => {
  test('is not trusted if the next one succeeds: the upload goes back and receives the bytes again', async () => {
    const storage = await storageWith('fragment')
    await storage.begin(UPLOAD)
    await append(storage, 0, 'first')
    failures = 1
    await expect(append(storage, 5, 'secon')).rejects.toMatchObject({ code: 'EIO' })
    expect(await storage.received(UPLOAD)).toBe(5)
    expect((await stat(storage.path(UPLOAD))).size).toBe(5)
    expect(await append(storage, 5, 'secon')).toBe(10)
    await storage.publish(UPLOAD, { overwrite: false })
    expect((await stat(join(directory, 'file'))).size).toBe(10)
  })

  test('is not trusted if the file cannot be truncated, either', async () => {
    const ftruncate = () => Promise.reject(failure())
    const storage = new FileStorage({ directory, durability: 'fragment' }, { fsync: sync, ftruncate })
    await storage.open()
    await storage.begin(UPLOAD)
    await append(storage, 0, 'first')
    failures = 1
    await expect(append(storage, 5, 'secon')).rejects.toMatchObject({ code: 'EIO' })
    expect(await storage.received(UPLOAD)).toBe(5)
    await expect(append(storage, 5, 'secon')).rejects.toMatchObject({ code: 'EIO' })
    expect(await storage.received(UPLOAD)).toBe(5)
  })
})

describe('failed syncs of uploads that end in another process', () => {
  const COUNT = 700

  async function failuresAfter(calls: Partial<FileSystem>): Promise<number> {
    const fs = { ...nodeFileSystem, fsync: () => Promise.reject(failure()), ...calls }
    const quick = quickCalls(fs, { isLocal: () => false })
    const files = new StagedFiles({ fs, quick, syncsFragments: true })
    for (let n = 0; n < COUNT; n++) {
      const path = join(directory, `${n}.part`)
      const appending = files.append(
        { uploadId: String(n), path },
        0,
        Readable.from([Buffer.from('x')]),
        never(),
      )
      await expect(appending).rejects.toMatchObject({ code: 'EIO' })
      await unlink(path)
    }
    return files.failures
  }

  test('are forgotten once the data is cut off', async () => {
    expect(await failuresAfter({})).toBe(0)
  })

  test('do not accumulate where it cannot be cut off', async () => {
    expect(await failuresAfter({ ftruncate: () => Promise.reject(failure()) })).toBeLessThanOrEqual(500)
  })
})

describe('bytes that an earlier process wrote', () => {
  beforeEach(async () => {
    // It syncs no fragment, as if the process had died before it could.
    const earlier = await storageWith('none')
    await earlier.begin(UPLOAD)
    await append(earlier, 0, 'firstsecon')
  })

  test('are synced once before they count', async () => {
    const storage = await storageWith('fragment')
    expect(await storage.received(UPLOAD)).toBe(10)
    expect(syncs).toBe(1)
    expect(await storage.received(UPLOAD)).toBe(10)
    expect(syncs).toBe(1)
  })

  test('are sent again if that fails', async () => {
    const storage = await storageWith('fragment')
    failures = 1
    await expect(storage.received(UPLOAD)).rejects.toMatchObject({ code: 'EIO' })
    expect(await storage.received(UPLOAD)).toBe(0)
    expect(await append(storage, 0, 'again')).toBe(5)
    expect(await storage.received(UPLOAD)).toBe(5)
    expect((await stat(storage.path(UPLOAD))).size).toBe(5)
  })

  test.each(['none', 'publish'] as const)('are not synced with durability %s', async (durability) => {
    expect(await (await storageWith(durability)).received(UPLOAD)).toBe(10)
    expect(syncs).toBe(0)
  })
})

describe('a sync before publication that failed', () => {
  test('sends the upload back to its start', async () => {
    const storage = await storageWith('publish')
    await storage.begin(UPLOAD)
    await append(storage, 0, 'firstsecon')
    failures = 1
    await expect(storage.publish(UPLOAD, { overwrite: false })).rejects.toMatchObject({ code: 'EIO' })
    expect(await storage.has('file')).toBe(false)
    expect(await storage.received(UPLOAD)).toBe(0)
    await append(storage, 0, 'firstsecon')
    await storage.publish(UPLOAD, { overwrite: false })
  })

  test('keeps what was synced fragment by fragment', async () => {
    const storage = await storageWith('fragment')
    await storage.begin(UPLOAD)
    await append(storage, 0, 'firstsecon')
    failures = 1
    await expect(storage.publish(UPLOAD, { overwrite: false })).rejects.toMatchObject({ code: 'EIO' })
    expect(await storage.received(UPLOAD)).toBe(10)
    await storage.publish(UPLOAD, { overwrite: false })
  })

  test('never truncates a file that already has its name', async () => {
    const storage = await storageWith('publish')
    await storage.begin(UPLOAD)
    await append(storage, 0, 'firstsecon')
    await storage.publish(UPLOAD, { overwrite: false })
    failures = 1
    await expect(storage.publish(UPLOAD, { overwrite: false })).rejects.toMatchObject({ code: 'EIO' })
    expect((await stat(join(directory, 'file'))).size).toBe(10)
  })

  test.each(['publish', 'fragment'] as const)(
    'makes the client send its bytes again, with durability %s',
    async (durability) => {
      const storage = new FileStorage({ directory, durability }, { fsync: sync })
      const running = await serve({ storage })
      const connection = await RawConnection.open(running.port)
      try {
        const id = await openSession(connection, '/uploads/file')
        failures = 1
        const send = async () => {
          connection.write(fragment('/uploads/file', id, Buffer.from('firstsecon')))
          const ack = await connection.ack()
          return [ack.status, ack.header('BITS-Received-Content-Range')]
        }
        expect(await send()).toEqual([500, '0'])
        const before = syncs
        expect(await send()).toEqual([200, '10'])
        expect(syncs).toBeGreaterThan(before)
      } finally {
        connection.reset()
        await running.stop()
      }
    },
  )
})
