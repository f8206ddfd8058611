import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, test } from '@jest/globals'
import { type BitsUploadOptions, FileStorage, MemoryStorage } from 'express-bits-upload'
import { uploadFile } from 'express-bits-upload/client'
import { expectAck } from '../support/expect-ack.js'
import { stagedFiles } from '../support/files.js'
import { fixtures } from '../support/fixtures.js'
import { cancelSession, closeSession, fragment } from '../support/raw.js'
import { contentOf, FAST, withFile } from '../support/upload-fixture.js'
import { ask, pause, replyPath, upload } from './support.js'

const { start, connect, directory } = fixtures()

const PATH = '/uploads/file.bin'
const FILE = contentOf(20_000)
const REPLY = contentOf(150_000)

const storages: [string, () => Promise<BitsUploadOptions>][] = [
  ['MemoryStorage', async () => ({ storage: new MemoryStorage() })],
  ['FileStorage', async () => ({ directory: await directory() })],
]

describe.each(storages)('a reply kept by %s', (_name, place) => {
  test('is announced in the form IIS uses, relative to the directory of the destination', async () => {
    const running = await start({ ...(await place()), onUpload: () => REPLY })
    const { id, ack } = await upload(await connect(running), PATH, FILE)
    expect(ack.header('BITS-Reply-URL')).toBe(`BITS-Sessions\\Replies\\${id}\\responsefile.bin`)
  })

  test.each(['file.bin', 'sub/file.bin', 'a%20b/%C3%A4/file.bin'])(
    'of an upload to %s is served at its URL',
    async (name) => {
      const running = await start({ ...(await place()), onUpload: () => REPLY })
      const path = `/uploads/${name}`
      const { ack } = await upload(await connect(running), path, FILE)
      const { status, body } = await ask(running, replyPath(path, ack))
      expect(status).toBe(200)
      expect(body.equals(REPLY)).toBe(true)
    },
  )

  test('is announced by every Ack for a complete file, and by no other', async () => {
    const running = await start({ ...(await place()), onUpload: () => REPLY })
    const connection = await connect(running)
    const { id } = await upload(connection, PATH, FILE)
    const url = `BITS-Sessions\\Replies\\${id}\\responsefile.bin`
    for (const [first, last] of [
      [0, undefined],
      [19_999, undefined],
      [0, 99],
    ] as const) {
      const ack = await connection.exchange(fragment(PATH, id, FILE, first, last))
      expectAck(ack, { status: 200, session: id, offset: FILE.length })
      expect(ack.header('BITS-Reply-URL')).toBe(url)
    }
    const closed = await connection.exchange(closeSession(PATH, id))
    expect(closed.header('BITS-Reply-URL')).toBeUndefined()
  })

  test.each([
    ['Close-Session', closeSession],
    ['Cancel-Session', cancelSession],
  ])('is kept until %s', async (_name, end) => {
    const running = await start({ ...(await place()), onUpload: () => REPLY })
    const connection = await connect(running)
    const { id, ack } = await upload(connection, PATH, FILE)
    const path = replyPath(PATH, ack)
    expect((await ask(running, path)).status).toBe(200)
    await connection.exchange(end(PATH, id))
    expect((await ask(running, path)).status).toBe(404)
  })

  test('is kept until the session expires', async () => {
    const running = await start({
      ...(await place()),
      sessionTimeout: 0.2,
      cleanupInterval: 0.05,
      onUpload: () => REPLY,
    })
    const { ack } = await upload(await connect(running), PATH, FILE)
    const path = replyPath(PATH, ack)
    expect((await ask(running, path)).status).toBe(200)
    while ((await ask(running, path)).status !== 404) await pause(20)
    expect(await running.bits.sessions()).toEqual([])
  })

  test('is what the client resolves with, and is fetched before Close-Session', async () => {
    const running = await start({ ...(await place()), onUpload: () => REPLY })
    await withFile(FILE.length, async ({ path }) => {
      const { reply } = await uploadFile(path, `${running.origin}/uploads/sub/file.bin`, FAST)
      expect(reply?.equals(REPLY)).toBe(true)
    })
    expect(await running.bits.sessions()).toEqual([])
  })
})

test('a reply is announced and served after a restart of the server', async () => {
  const root = await directory()
  const first = await start({ directory: root, onUpload: () => REPLY })
  const { id, ack } = await upload(await connect(first), PATH, FILE)
  await first.stop()
  const second = await start({ directory: root, onUpload: () => 'another' })
  const again = await (await connect(second)).exchange(fragment(PATH, id, FILE))
  expect(again.header('BITS-Reply-URL')).toBe(ack.header('BITS-Reply-URL'))
  expect((await ask(second, replyPath(PATH, again))).body.equals(REPLY)).toBe(true)
})

test('a reply and its session leave nothing behind on the disk', async () => {
  const root = await directory()
  const running = await start({ directory: root, onUpload: () => REPLY })
  const connection = await connect(running)
  const { id } = await upload(connection, PATH, FILE)
  expect(await stagedFiles(root)).toEqual([expect.stringMatching(/^[0-9a-f]{32}\.reply$/)])
  await connection.exchange(closeSession(PATH, id))
  expect(await stagedFiles(root)).toEqual([])
  expect(await readFile(join(root, 'file.bin'))).toEqual(FILE)
})

describe('of a reply', () => {
  test('only the session’s user learns that it exists', async () => {
    let user: string | undefined = 'ann'
    const running = await start({ storage: new MemoryStorage(), user: () => user, onUpload: () => REPLY })
    const { ack } = await upload(await connect(running), PATH, FILE)
    const path = replyPath(PATH, ack)
    expect((await ask(running, path)).status).toBe(200)
    for (const other of ['bob', 'ANN', '', undefined]) {
      user = other
      const { status, headers, body } = await ask(running, path)
      expect([status, body.length]).toEqual([404, 0])
      for (const name of ['etag', 'last-modified', 'content-location'])
        expect(headers).not.toHaveProperty(name)
    }
  })

  test('the client fetches it with the credentials of the upload', async () => {
    const running = await start({
      storage: new MemoryStorage(),
      user: (req) => req.get('X-User'),
      onUpload: () => REPLY,
    })
    await withFile(FILE.length, async ({ path }) => {
      const options = { ...FAST, headers: { 'X-User': 'ann' } }
      const { reply } = await uploadFile(path, `${running.origin}${PATH}`, options)
      expect(reply?.equals(REPLY)).toBe(true)
    })
  })

  test('authorize is called with the destination of the upload', async () => {
    const asked: string[] = []
    const running = await start({
      storage: new MemoryStorage(),
      onUpload: () => REPLY,
      authorize(req, destination) {
        if (req.method === 'GET') asked.push(destination)
        return req.method !== 'GET'
      },
    })
    const { ack } = await upload(await connect(running), PATH, FILE)
    const { status, body } = await ask(running, replyPath(PATH, ack))
    expect([status, body.length]).toEqual([403, 0])
    expect(asked).toEqual(['file.bin'])
  })
})

test('a reply of another mount is not found', async () => {
  const storage = new FileStorage({ directory: await directory() })
  const one = await start({ storage, onUpload: () => REPLY })
  const { ack } = await upload(await connect(one), PATH, FILE)
  await one.stop()
  const other = await start({ storage }, { mount: '/elsewhere' })
  expect((await ask(other, replyPath('/elsewhere/file.bin', ack))).status).toBe(404)
})
