import { link, readFile, rename } from 'node:fs/promises'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import { beforeEach, describe, expect, test } from '@jest/globals'
import { FileStorage, MemorySessionStore, type SessionChange, type SessionRecord } from 'express-bits-upload'
import { fixtures } from '../support/fixtures.js'
import { closeSession, fragment, openSession, RawConnection } from '../support/raw.js'
import { serve } from '../support/serve.js'

const { directory: newDirectory } = fixtures()

/** A store that cannot record anything, as if the process had died. */
class DyingStore extends MemorySessionStore {
  isDead = false

  override async update(key: string, change: (current: SessionRecord) => SessionChange | undefined) {
    if (this.isDead) throw new Error('The process is dead.')
    return super.update(key, change)
  }
}

const PATH = '/uploads/file.bin'
const FILE = Buffer.from('the whole file')
const cannotLink = () => Promise.reject(Object.assign(new Error('no links here'), { code: 'EPERM' }))
const cannotLeave = () => Promise.reject(Object.assign(new Error('other device'), { code: 'EXDEV' }))

const WAYS = [
  { way: 'a link', calls: {} },
  { way: 'a move', calls: { link: cannotLink } },
  { way: 'a copy', calls: { link: cannotLink, rename: cannotLeave } },
]

let directory: string

beforeEach(async () => {
  directory = await newDirectory()
})

describe.each(WAYS)('a file that was published by $way without a record in its session', ({ way, calls }) => {
  // A copy is renamed from its temporary name within the directory, which works.
  const working = way === 'a copy' ? { ...calls, rename: renameWithin } : calls

  async function renameWithin(from: string, to: string): Promise<void> {
    if (from.includes('BITS-Sessions') && !to.includes('BITS-Sessions')) return cannotLeave()
    await rename(from, to)
  }

  test('does not grow in the archive it was moved to', async () => {
    const store = new DyingStore()
    const running = await serve({ storage: new FileStorage({ directory }, working), sessionStore: store })
    const connection = await RawConnection.open(running.port)
    try {
      const id = await openSession(connection, PATH)
      store.isDead = true
      connection.write(fragment(PATH, id, FILE))
      expect((await connection.ack()).status).toBe(500)
      const archived = join(await newDirectory(), 'archived')
      await rename(join(directory, 'file.bin'), archived)
      store.isDead = false

      const longer = Buffer.concat([FILE, Buffer.from(' and more')])
      connection.write(fragment(PATH, id, longer))
      const ack = await connection.ack()
      expect(ack.status).not.toBe(200)
      expect((await readFile(archived)).equals(FILE)).toBe(true)
      connection.write(closeSession(PATH, id))
      await connection.ack()
      expect((await readFile(archived)).equals(FILE)).toBe(true)
    } finally {
      connection.reset()
      await running.stop()
    }
  })

  test('is acknowledged when its last fragment is sent again', async () => {
    const store = new DyingStore()
    const running = await serve({ storage: new FileStorage({ directory }, working), sessionStore: store })
    const connection = await RawConnection.open(running.port)
    try {
      const id = await openSession(connection, PATH)
      store.isDead = true
      connection.write(fragment(PATH, id, FILE))
      expect((await connection.ack()).status).toBe(500)
      store.isDead = false
      connection.write(fragment(PATH, id, FILE))
      expect((await connection.ack()).status).toBe(200)
      expect((await readFile(join(directory, 'file.bin'))).equals(FILE)).toBe(true)
    } finally {
      connection.reset()
      await running.stop()
    }
  })
})

test('staged data with a second name is never extended, and the error says what to do', async () => {
  const storage = new FileStorage({ directory })
  await storage.open()
  const upload = { uploadId: '1'.repeat(32), destination: 'file', total: 10 }
  await storage.begin(upload)
  const append = (offset: number) =>
    storage.append(upload, offset, Readable.from([Buffer.from('bytes')]), new AbortController().signal)
  await append(0)
  const other = join(directory, 'other')
  await link(storage.path(upload), other)
  expect(await storage.received(upload)).toBe(5)
  await expect(append(5)).rejects.toThrow(/2 names .* remove that one/)
  expect(await readFile(other, 'utf8')).toBe('bytes')
})
