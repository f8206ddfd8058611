import { readdirSync, renameSync, symlinkSync } from 'node:fs'
import { mkdir, readdir, symlink } from 'node:fs/promises'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import { describe, expect, test } from '@jest/globals'
import { BitsError, FileStorage } from 'express-bits-upload'
import { fixtures } from '../support/fixtures.js'
import { interceptedFileSystem, systemError } from '../support/intercepted-fs.js'

const { directory: newDirectory } = fixtures()

const DESTINATIONS = ['directory/file', 'directory/new/deeper/file']

/** A file system without hard links, where files are moved. */
const failLinks = (name: string) => {
  if (name === 'link') throw systemError('EPERM', 'link')
}
const WAYS = [
  { way: 'links', fail: () => {} },
  { way: 'moves', fail: failLinks },
]

const SETTINGS = DESTINATIONS.flatMap((destination) =>
  WAYS.flatMap((way) => [false, true].map((overwrite) => ({ destination, overwrite, ...way }))),
)

describe.each(SETTINGS)(
  'a publication of $destination by $way with overwrite $overwrite writes nothing outside',
  ({ destination, overwrite, fail }) => {
    test('if its directory is replaced with a link before any of its calls', async () => {
      let exchanges = 0
      let refusals = 0
      for (let at = 0; ; at++) {
        const base = await newDirectory()
        const root = join(base, 'root')
        const outside = join(base, 'outside')
        await mkdir(join(root, 'directory'), { recursive: true })
        await mkdir(outside)
        let isPublishing = false
        let count = 0
        const fs = interceptedFileSystem(({ name }) => {
          if (!isPublishing) return
          if (count++ === at) {
            renameSync(join(root, 'directory'), join(root, 'moved'))
            symlinkSync(outside, join(root, 'directory'))
            exchanges++
          }
          fail(name)
        })
        const storage = new FileStorage({ directory: root }, fs)
        await storage.open()
        const upload = { uploadId: '1'.repeat(32), destination, total: 5 }
        await storage.has(destination)
        await storage.begin(upload)
        await storage.append(upload, 0, Readable.from([Buffer.from('bytes')]), new AbortController().signal)
        isPublishing = true
        const error: unknown = await storage.publish(upload, { overwrite }).catch((reason: unknown) => reason)
        if (error instanceof BitsError) refusals++
        // No directory was created either.
        expect([at, readdirSync(outside)]).toEqual([at, []])
        if (count <= at) break
      }
      expect(exchanges).toBeGreaterThan(10)
      expect(refusals).toBeGreaterThan(0)
    })
  },
)

test('an upload begins nowhere else when its directory is exchanged for a link after the check of its destination', async () => {
  for (let at = 0; ; at++) {
    const base = await newDirectory()
    const [root, outside] = [join(base, 'root'), join(base, 'outside')]
    await mkdir(join(root, 'directory'), { recursive: true })
    await mkdir(outside)
    let isBeginning = false
    let count = 0
    const fs = interceptedFileSystem(() => {
      if (!isBeginning || count++ !== at) return
      renameSync(join(root, 'directory'), join(root, 'moved'))
      symlinkSync(outside, join(root, 'directory'))
    })
    const storage = new FileStorage({ directory: root }, fs)
    await storage.open()
    const upload = { uploadId: '1'.repeat(32), destination: 'directory/file' }
    await storage.has(upload.destination)
    isBeginning = true
    const error: unknown = await storage.begin(upload).catch((reason: unknown) => reason)
    if (at === 0) expect(error).toMatchObject({ code: 'destination-refused' })
    expect([at, readdirSync(outside)]).toEqual([at, []])
    if (count <= at) break
  }
})

test('a directory that was removed and created again is flushed again', async () => {
  const root = await newDirectory()
  const synced: string[] = []
  const fs = interceptedFileSystem(({ name, args }) => {
    if (name === 'open') opened = String(args[0])
    if (name === 'fsync') synced.push(opened)
  })
  let opened = ''
  const storage = new FileStorage({ directory: root }, fs)
  await storage.open()
  const publish = async (n: number) => {
    const upload = { uploadId: `${n}`.repeat(32), destination: `a/b/${n}`, total: 5 }
    await storage.begin(upload)
    await storage.append(upload, 0, Readable.from([Buffer.from('bytes')]), new AbortController().signal)
    synced.length = 0
    await storage.publish(upload, { overwrite: false })
    return synced.filter((path) => path === join(root, 'a') || path === root).length
  }
  expect(await publish(1)).toBe(2)
  expect(await publish(2)).toBe(0)
  renameSync(join(root, 'a'), join(root, 'old'))
  await mkdir(join(root, 'a/b'), { recursive: true })
  expect(await publish(3)).toBe(2)
  expect(await readdir(join(root, 'a/b'))).toEqual(['3'])
})

test('files go to the directory that a link as upload directory leads to when they are published', async () => {
  const base = await newDirectory()
  const root = join(base, 'root')
  for (const name of ['one', 'two']) await mkdir(join(base, name, 'directory'), { recursive: true })
  await symlink(join(base, 'one'), root)
  const storage = new FileStorage({ directory: root })
  await storage.open()
  const upload = async (n: number) => {
    const staged = { uploadId: `${n}`.repeat(32), destination: `directory/${n}`, total: 5 }
    expect(await storage.has(staged.destination)).toBe(false)
    await storage.begin(staged)
    await storage.append(staged, 0, Readable.from([Buffer.from('bytes')]), new AbortController().signal)
    await storage.publish(staged, { overwrite: false })
    await storage.discard(staged, { keepReply: true })
  }
  for (const n of [1, 2]) await upload(n)
  await symlink(join(base, 'two'), `${root}.new`)
  renameSync(`${root}.new`, root)
  for (const n of [3, 4]) await upload(n)
  expect(await readdir(join(base, 'one/directory'))).toEqual(['1', '2'])
  expect(await readdir(join(base, 'two/directory'))).toEqual(['3', '4'])
})
