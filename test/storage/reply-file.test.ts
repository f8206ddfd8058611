import { open, readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import { expect, test } from '@jest/globals'
import { writeReplyFile } from '../../lib/storage/file/reply-file.js'
import { fixtures } from '../support/fixtures.js'

const { directory } = fixtures()

const broken = () =>
  Readable.from(
    (function* () {
      yield Buffer.alloc(100_000)
      throw new Error('the database is gone')
    })(),
  )

test('a reply is written completely, and its size returned', async () => {
  const path = join(await directory(), 'reply')
  const body = Readable.from([Buffer.from('first, '), Buffer.alloc(0), 'second'])
  expect(await writeReplyFile(path, body, true)).toBe(13)
  expect(await readFile(path, 'utf8')).toBe('first, second')
})

test('a reply that fails reports why, keeps the earlier one, and leaves nothing else', async () => {
  const folder = await directory()
  const path = join(folder, 'reply')
  await writeReplyFile(path, Readable.from(['earlier']), false)
  await expect(writeReplyFile(path, broken(), false)).rejects.toThrow('the database is gone')
  expect(await readFile(path, 'utf8')).toBe('earlier')
  expect(await readdir(folder)).toEqual(['reply'])
})

test('replies that fail do not close other files', async () => {
  const folder = await directory()
  let failing = true
  const fail = async (n: number) => {
    for (let round = 0; round < 50; round++)
      await writeReplyFile(join(folder, `${n}.reply`), broken(), false).catch(() => {})
  }
  // Descriptors that stay open: closing one twice would close one of these the second time.
  const use = async (n: number) => {
    while (failing) {
      const file = await open(join(folder, `${n}.part`), 'w+')
      await file.write(`bystander ${n}`)
      expect(await file.readFile({ encoding: 'utf8' })).toBe('')
      expect((await file.read(Buffer.alloc(20), 0, 20, 0)).bytesRead).toBe(`bystander ${n}`.length)
      await file.close()
    }
  }
  const bystanders = Promise.all(Array.from({ length: 8 }, (_, n) => use(n)))
  await Promise.all(Array.from({ length: 4 }, (_, n) => fail(n)))
  failing = false
  await bystanders
})
