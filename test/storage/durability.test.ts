import { fstatSync, statSync } from 'node:fs'
import { copyFile, link, mkdir, rename, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import { beforeEach, describe, expect, test } from '@jest/globals'
import { type Durability, FileSessionStore, FileStorage } from 'express-bits-upload'
import { draftOf } from '../../lib/storage/file/reply-file.js'
import { fixtures } from '../support/fixtures.js'

const { directory: newDirectory } = fixtures()

/** The log of operations in order: `sync <path>` for anything flushed to the disk, and created links. */
let done: string[]
let directory: string

beforeEach(async () => {
  done = []
  directory = await newDirectory()
})

/** The paths of interest, relative to the directory. Descriptors are matched by inode. */
const PLACES = ['..', '.', 'a', 'a/b', 'BITS-Sessions', `BITS-Sessions/${'1'.repeat(32)}.part`]
const REPLY = `BITS-Sessions/${'1'.repeat(32)}.reply`
const JOURNAL = 'BITS-Sessions/sessions.journal'
const RECORD = `BITS-Sessions/${'2'.repeat(32)}.json`

async function sync(file: number): Promise<void> {
  const { ino } = fstatSync(file)
  const place = [...PLACES, draftOf(REPLY), RECORD, JOURNAL].find(
    (name) => statSync(join(directory, name), { throwIfNoEntry: false })?.ino === ino,
  )
  done.push(`sync ${place}`)
}

async function noteLink(existing: string, path: string): Promise<void> {
  await link(existing, path)
  done.push('link')
}

const storageOf = (durability: Durability, root = directory) =>
  new FileStorage({ directory: root, durability }, { fsync: sync, link: noteLink })

const UPLOAD = { uploadId: '1'.repeat(32), destination: 'a/b/file', total: 10 }
const STAGED = `BITS-Sessions/${UPLOAD.uploadId}.part`

async function uploadWith(
  durability: Durability,
  overwrite: boolean,
  storage = storageOf(durability),
): Promise<void> {
  await storage.open()
  await storage.begin(UPLOAD)
  for (const offset of [0, 5]) {
    const body = Readable.from([Buffer.from('bytes')])
    await storage.append(UPLOAD, offset, body, new AbortController().signal)
  }
  await storage.publish(UPLOAD, { overwrite })
}

describe.each([false, true])('with overwrite %s', (overwrite) => {
  test('by default, a file’s bytes are flushed before it has its name, and its name before the Ack', async () => {
    await uploadWith('publish', overwrite)
    expect(done).toEqual([`sync ${STAGED}`, 'link', 'sync a/b', 'sync a', 'sync .'])
  })

  test('with durability fragment, each fragment is flushed, too', async () => {
    await uploadWith('fragment', overwrite)
    const fragments = [`sync ${STAGED}`, 'sync BITS-Sessions', `sync ${STAGED}`]
    expect(done).toEqual([...fragments, `sync ${STAGED}`, 'link', 'sync a/b', 'sync a', 'sync .'])
  })

  test('with durability none, nothing is flushed', async () => {
    await uploadWith('none', overwrite)
    expect(done).toEqual(['link'])
  })
})

describe('the names of a file’s directories are flushed before its Ack', () => {
  test('including existing ones: the process that created them may have died before it flushed them', async () => {
    await mkdir(join(directory, 'a/b'), { recursive: true })
    await uploadWith('publish', false)
    expect(done.slice(2)).toEqual(['sync a/b', 'sync a', 'sync .'])
  })

  test('and not again with the next file', async () => {
    const storage = storageOf('publish')
    await uploadWith('publish', false, storage)
    await storage.discard(UPLOAD)
    done = []
    await uploadWith('publish', true, storage)
    expect(done).toEqual([`sync ${STAGED}`, 'link', 'sync a/b'])
  })

  test('except for directories that were removed and created again', async () => {
    const storage = storageOf('publish')
    await uploadWith('publish', false, storage)
    await storage.discard(UPLOAD)
    await rm(join(directory, 'a'), { recursive: true })
    done = []
    await uploadWith('publish', false, storage)
    expect(done.slice(2)).toEqual(['sync a/b', 'sync a', 'sync .'])
  })

  test('if the first attempt created them and failed', async () => {
    let fails = true
    const failing =
      <Args extends unknown[]>(call: (...args: Args) => Promise<void>) =>
      async (...args: Args) => {
        if (fails) throw Object.assign(new Error('input/output error'), { code: 'EIO' })
        await call(...args)
      }
    const calls = { link: failing(noteLink), rename: failing(rename), copyFile: failing(copyFile) }
    const storage = new FileStorage({ directory }, { fsync: sync, ...calls })
    await expect(uploadWith('publish', false, storage)).rejects.toThrow('input/output error')
    fails = false
    done = []
    await storage.publish(UPLOAD, { overwrite: false })
    expect(done).toEqual([`sync ${STAGED}`, 'link', 'sync a/b', 'sync a', 'sync .'])
  })

  test('if a process died between moving the file, without links, and its Ack', async () => {
    const unsupported = () => Promise.reject(Object.assign(new Error('no links'), { code: 'ENOTSUP' }))
    await uploadWith('publish', true, new FileStorage({ directory }, { fsync: sync, link: unsupported }))
    done = []
    await new FileStorage({ directory }, { fsync: sync, link: unsupported }).publish(UPLOAD, {
      overwrite: true,
    })
    expect(done).toEqual(['sync a/b', 'sync a', 'sync .'])
  })
})

test('a reply and its name are flushed before its upload counts as delivered', async () => {
  const storage = storageOf('publish')
  await storage.open()
  await storage.writeReply(UPLOAD, Readable.from(['reply']))
  expect(done).toEqual([`sync ${draftOf(REPLY)}`, 'sync BITS-Sessions'])
})

test('a new upload directory is flushed before anything is accepted', async () => {
  await storageOf('publish', join(directory, 'a/b')).open()
  expect(done).toEqual(['sync a/b', 'sync a', 'sync .'])
  await storageOf('publish', join(directory, 'a/b')).open()
  expect(done).toHaveLength(3)
})

describe('a session', () => {
  const record = {
    uploadId: '2'.repeat(32),
    destination: 'file',
    path: '/file',
    state: 'receiving',
    createdAt: 1,
    lastActivity: 1,
  } as const

  async function changeOne(store: FileSessionStore): Promise<void> {
    await store.open()
    await store.create(record)
    await store.update(record.uploadId, () => ({ total: 10 }))
    await store.close()
  }

  test.each([false, true])(
    'is flushed by the operating system unless it must be durable (shared: %s)',
    async (shared) => {
      await changeOne(new FileSessionStore({ directory, shared }, { fsync: sync, fdatasync: sync }))
      expect(done).toEqual([])
    },
  )

  test('that is durable is flushed before it takes effect, and so is each change', async () => {
    await changeOne(new FileSessionStore({ directory, durable: true }, { fsync: sync, fdatasync: sync }))
    expect(done).toEqual(['sync BITS-Sessions', `sync ${JOURNAL}`, `sync ${JOURNAL}`])
  })

  test('that is durable and shared is also flushed, in its own file', async () => {
    const options = { directory, durable: true, shared: true }
    await changeOne(new FileSessionStore(options, { fsync: sync, fdatasync: sync }))
    expect(done).toEqual([`sync ${RECORD}`, 'sync BITS-Sessions', `sync ${RECORD}`])
  })
})
