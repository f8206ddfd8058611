import { constants } from 'node:fs'
import { link, mkdir, readdir, readFile, rename, rm, stat, utimes, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import { setImmediate as turn } from 'node:timers/promises'
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals'
import { FileSessionStore, FileStorage, type StagedUpload } from 'express-bits-upload'
import { nodeFileSystem } from '../../lib/util/fs.js'
import { openFiles, stagedFiles } from '../support/files.js'
import { temporaryDirectory } from '../support/serve.js'

const never = () => new AbortController().signal
const refusal = (code: string) => () => Promise.reject(Object.assign(new Error(code), { code }))

let directory: string
let remove: () => Promise<void>
let storage: FileStorage
let count = 0

beforeEach(async () => {
  const made = await temporaryDirectory()
  directory = made.path
  remove = made.remove
  storage = new FileStorage({ directory })
  await storage.open()
})

afterEach(async () => {
  expect(await openFiles(directory)).toEqual([])
  await remove()
})

const newUpload = (destination: string, total?: number): StagedUpload => ({
  uploadId: (++count).toString(16).padStart(32, '0'),
  destination,
  total,
})

async function filled(destination: string, text: string): Promise<StagedUpload> {
  const upload = newUpload(destination, text.length)
  await storage.begin(upload)
  await storage.append(upload, 0, Readable.from([Buffer.from(text)]), never())
  return upload
}

const content = (name: string) => readFile(join(directory, name), 'utf8')

describe('the options of FileStorage', () => {
  test.each([
    [{ directory: '' }, 'FileStorage: the option directory is "": use a path.'],
    [
      { directory: 'x', durability: 'always' },
      "FileStorage: the option durability is \"always\": use 'none', 'publish' or 'fragment'.",
    ],
    [
      { directory: 'x', createDirectories: 'no' },
      'FileStorage: the option createDirectories is "no": use true or false.',
    ],
  ])('%j is refused with a message', (options, message) => {
    expect(() => Reflect.construct(FileStorage, [options])).toThrow(new TypeError(message))
  })

  test('its directory is created, with staged data readable only by its owner', async () => {
    const made = new FileStorage({ directory: join(directory, 'a/b') })
    await made.open()
    const modeOf = async (name: string) => (await stat(join(directory, name))).mode & 0o777
    expect(await modeOf('a/b/BITS-Sessions')).toBe(0o700)
    expect(await modeOf('a/b')).toBe(0o777 & ~process.umask())
  })

  test('the directory gets the default mode, whichever part creates it', async () => {
    const sessions = new FileSessionStore({ directory: join(directory, 'c') })
    await sessions.open()
    await sessions.close()
    expect((await stat(join(directory, 'c'))).mode & 0o777).toBe(0o777 & ~process.umask())
  })

  test.each(['file', 'a/b/file'])('a directory that was removed is created again for %s', async (name) => {
    await rm(directory, { recursive: true })
    expect(await storage.has(name)).toBe(false)
    const upload = await filled(name, 'abc')
    await storage.publish(upload, { overwrite: false })
    expect(await content(name)).toBe('abc')
  })
})

describe('publication', () => {
  test('refuses incomplete staged data', async () => {
    const upload = await filled('a.bin', 'abc')
    await expect(storage.publish({ ...upload, total: 4 }, { overwrite: false })).rejects.toThrow(
      /holds 3 bytes of 4/,
    )
    expect(await readdir(directory)).toEqual(['BITS-Sessions'])
  })

  test('ends the staged data: nothing is added to a published file, whatever its total', async () => {
    const upload = await filled('a.bin', 'abc')
    await storage.publish(upload, { overwrite: false })
    const longer = { ...upload, total: 10 }
    await expect(storage.received(longer)).rejects.toMatchObject({ code: 'total-changed' })
    expect(await storage.received(upload)).toBe(3)
  })

  test('is not assumed if another program created a second name for staged data', async () => {
    const upload = await filled('a.bin', 'abc')
    await link(storage.path(upload), join(directory, 'backup'))
    expect(await storage.received({ ...upload, total: 10 })).toBe(3)
  })

  test('of removed staged data is reported as such', async () => {
    const upload = await filled('a.bin', 'abc')
    await rm(storage.path(upload))
    await expect(storage.publish(upload, { overwrite: false })).rejects.toMatchObject({
      code: 'staged-data-missing',
    })
  })

  test('of lost staged data does not mistake a file of the same size for its own', async () => {
    await writeFile(join(directory, 'a.bin'), 'old')
    const upload = await filled('a.bin', 'new')
    await rm(storage.path(upload))
    await expect(storage.publish(upload, { overwrite: true })).rejects.toMatchObject({
      code: 'staged-data-missing',
    })
  })

  test('continues after a crash between the two steps of replacing a file', async () => {
    await writeFile(join(directory, 'a.bin'), 'old')
    const upload = await filled('a.bin', 'new')
    await link(storage.path(upload), `${storage.path(upload)}.new`)
    await storage.publish(upload, { overwrite: true })
    expect(await content('a.bin')).toBe('new')
    await storage.discard(upload)
    expect(await stagedFiles(directory)).toEqual([])
  })

  test('does not publish an unrelated file where it prepares the replacement', async () => {
    const upload = await filled('a.bin', 'new')
    await writeFile(`${storage.path(upload)}.new`, 'another file')
    await storage.publish(upload, { overwrite: true })
    expect(await content('a.bin')).toBe('new')
    await storage.discard(upload)
    expect(await stagedFiles(directory)).toEqual([])
  })

  test.each([false, true])(
    'on Linux opens the file for writing and closes it, for programs that wait for that, with overwrite %s',
    async (overwrite) => {
      if (process.platform !== 'linux') return
      const path = join(directory, 'a.bin')
      if (overwrite) await writeFile(path, 'old')
      const opened = new Set<number>()
      const events: string[] = []
      const open: typeof nodeFileSystem.open = async (name, flags, mode) => {
        const file = await nodeFileSystem.open(name, flags, mode)
        // It has two paths: its directory may be open as `/proc/self/fd/N`.
        const isPublished =
          String(name).endsWith('/a.bin') && typeof flags === 'number' && flags & constants.O_WRONLY
        if (isPublished) events.push(`opened with ${await readFile(path, 'utf8')}`)
        if (isPublished) opened.add(file)
        return file
      }
      const close = async (file: number) => {
        await nodeFileSystem.close(file)
        if (opened.delete(file)) events.push('closed')
      }
      storage = new FileStorage({ directory }, { open, close })
      await storage.open()
      await storage.publish(await filled('a.bin', 'new'), { overwrite })
      expect(events).toEqual(['opened with new', 'closed'])
    },
  )

  test('never lets a reader see anything except the old or the new file', async () => {
    const path = join(directory, 'a.bin')
    const texts = ['a', 'b'].map((letter) => letter.repeat(300_000))
    await writeFile(path, texts[0] ?? '')
    let publishing = true
    const seen = new Set<string>()
    const reader = (async () => {
      while (publishing) {
        const text = await readFile(path, 'latin1')
        expect(texts).toContain(text)
        seen.add(text)
        await turn()
      }
    })()
    for (let n = 1; n <= 40; n++) {
      const upload = await filled('a.bin', texts[n % 2] ?? '')
      await storage.publish(upload, { overwrite: true })
      await storage.discard(upload)
    }
    publishing = false
    await reader
    expect(seen.size).toBe(2)
  })

  test('a directory that appears at the destination is reported as one', async () => {
    for (const overwrite of [false, true]) {
      const upload = await filled(`late-${overwrite}`, 'abc')
      await mkdir(join(directory, `late-${overwrite}`))
      await expect(storage.publish(upload, { overwrite })).rejects.toMatchObject({
        code: 'destination-is-directory',
      })
      expect(await storage.received(upload)).toBe(3)
    }
  })
})

describe('on a file system without hard links', () => {
  test.each(['EPERM', 'ENOTSUP', 'EOPNOTSUPP', 'ENOSYS', 'EMLINK'])(
    'that says %s files are moved',
    async (code) => {
      storage = new FileStorage({ directory }, { link: refusal(code) })
      const upload = await filled('a/b.bin', 'abc')
      expect(await storage.publish(upload, { overwrite: false })).toMatchObject({ size: 3 })
      expect(await content('a/b.bin')).toBe('abc')
      await storage.discard(upload)
      expect(await stagedFiles(directory)).toEqual([])
    },
  )

  test.each(['EIO', 'EISDIR', 'EINVAL', 'EACCES', 'UNKNOWN'])(
    '%s of a link does not keep a file from being moved',
    async (code) => {
      storage = new FileStorage({ directory }, { link: refusal(code) })
      for (const overwrite of [false, true]) {
        const upload = await filled(`${overwrite}.bin`, 'abc')
        await storage.publish(upload, { overwrite })
        expect(await content(`${overwrite}.bin`)).toBe('abc')
      }
    },
  )

  test('if all ways to publish fail, the upload stays', async () => {
    const calls = { link: refusal('EIO'), rename: refusal('EIO'), copyFile: refusal('EIO') }
    storage = new FileStorage({ directory }, calls)
    for (const overwrite of [false, true]) {
      const upload = await filled('a.bin', 'abc')
      await expect(storage.publish(upload, { overwrite })).rejects.toMatchObject({ code: 'EIO' })
      expect(await storage.received(upload)).toBe(3)
    }
  })

  test('many uploads to many names end with one complete winner per name', async () => {
    storage = new FileStorage({ directory }, { link: refusal('EPERM') })
    const uploads = await Promise.all(
      Array.from({ length: 60 }, (_, n) => filled(`d${n % 3}/f${n % 5}`, String(n).repeat(n + 1))),
    )
    const results = await Promise.allSettled(
      uploads.map((upload) => storage.publish(upload, { overwrite: false })),
    )
    const winners = uploads.filter((_, n) => results[n]?.status === 'fulfilled')
    expect(new Set(winners.map(({ destination }) => destination)).size).toBe(15)
    expect(winners).toHaveLength(15)
    for (const { destination, total } of winners) expect(await content(destination)).toHaveLength(total ?? -1)
  })

  test('an upload whose move failed is still reported as staged', async () => {
    storage = new FileStorage({ directory }, { link: refusal('EPERM') })
    await writeFile(join(directory, 'a.bin'), 'old')
    const upload = await filled('a.bin', 'new')
    await mkdir(join(directory, 'b.bin'))
    const other = await filled('b.bin', 'new')
    for (const each of [upload, other]) {
      await expect(storage.publish(each, { overwrite: false })).rejects.toBeInstanceOf(Error)
      expect(await storage.received(each)).toBe(3)
    }
  })

  test('a file that was moved before a crash is recognized, and its mark is removed with the upload', async () => {
    storage = new FileStorage({ directory }, { link: refusal('EPERM') })
    const upload = await filled('a.bin', 'abc')
    await writeFile(`${storage.path(upload)}.moved`, 'move 3\n')
    await rename(storage.path(upload), join(directory, 'a.bin'))
    expect(await storage.received(upload)).toBe(3)
    expect(await storage.publish(upload, { overwrite: false })).toMatchObject({ size: 3 })
    // Even after a reader has removed the file.
    await rm(join(directory, 'a.bin'))
    expect(await storage.publish(upload, { overwrite: false })).toMatchObject({ size: 3 })
    await storage.discard(upload)
    expect(await stagedFiles(directory)).toEqual([])
  })
})

test('staged data that is discarded while its length is looked up counts as gone', async () => {
  const upload = await filled('a.bin', 'abc')
  const open: typeof nodeFileSystem.open = async (path, flags, mode) => {
    if (String(path).endsWith('.part')) await storage.discard(upload)
    return nodeFileSystem.open(path, flags, mode)
  }
  // A restarted process, which syncs what the earlier one wrote.
  const restarted = new FileStorage({ directory, durability: 'fragment' }, { open })
  expect(await restarted.received(upload)).toBe(0)
})

describe('the list of staged data', () => {
  test('has all that a crash can leave behind, with the time of its last change, and nothing else', async () => {
    const upload = await filled('a.bin', 'abc')
    const long = new Date('2001-02-03T04:05:06Z')
    await utimes(storage.path(upload), long, long)
    const names = ['part.new', 'part.moved', 'reply', 'reply.tmp'].map(
      (end, n) => `${`${n}`.repeat(32)}.${end}`,
    )
    const others = ['README', `${'a'.repeat(32)}.json`, `${'A'.repeat(32)}.part`, `${'a'.repeat(31)}.part`]
    for (const name of [...names, ...others]) await writeFile(join(directory, 'BITS-Sessions', name), '')
    const found = new Map<string, Date>()
    for await (const { uploadId, lastModified } of storage.staged()) found.set(uploadId, lastModified)
    expect([...found.keys()].sort()).toEqual(
      [upload.uploadId, ...names.map((name) => name.slice(0, 32))].sort(),
    )
    expect(found.get(upload.uploadId)).toEqual(long)
    for (const id of found.keys()) await storage.discard({ uploadId: id, destination: '' })
    expect((await stagedFiles(directory)).sort()).toEqual(
      others.filter((name) => !name.endsWith('.json')).sort(),
    )
  })
})
