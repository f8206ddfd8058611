import { openAsBlob } from 'node:fs'
import { appendFile, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, test } from '@jest/globals'
import { UploadJob, type UploadState, uploadFile } from 'express-bits-upload/client'
import { fixtures } from '../support/fixtures.js'
import { faulty, wellBehaved } from '../support/scripted-server.js'
import { clientError, contentOf, FAST, KB, withFile, withServer } from '../support/upload-fixture.js'

const { start, directory } = fixtures()
const CONTENT = contentOf(300 * KB)

describe('bytes in memory', () => {
  test.each<[string, () => Uint8Array | Blob]>([
    ['a Buffer', () => CONTENT],
    ['a Blob', () => new Blob([CONTENT])],
    ['an empty Buffer', () => Buffer.alloc(0)],
  ])('arrive unchanged: %s', async (_, make) => {
    const folder = await directory()
    const { origin } = await start({ directory: folder })
    const content = make()
    const expected = content instanceof Blob ? Buffer.from(await content.arrayBuffer()) : Buffer.from(content)
    const { bytes } = await uploadFile(content, `${origin}/uploads/a.bin`, { fragmentSize: 100 * KB })
    expect(bytes).toBe(expected.length)
    expect((await readFile(join(folder, 'a.bin'))).equals(expected)).toBe(true)
  })

  test('arrive unchanged: a view that starts and ends within its buffer', async () => {
    await withServer(wellBehaved, async (server) => {
      await uploadFile(new Uint8Array(CONTENT).subarray(7, 200 * KB), server.url(), {
        fragmentSize: 100 * KB,
      })
      const sent = Buffer.concat(server.requests.map(({ body }) => body))
      expect(sent.equals(CONTENT.subarray(7, 200 * KB))).toBe(true)
    })
  })

  test('have a Content-Name only if they have a name', async () => {
    await withServer(wellBehaved, async (server) => {
      await uploadFile(Buffer.from('x'), server.url())
      expect(server.requests.every(({ headers }) => headers['content-name'] === undefined)).toBe(true)
      await uploadFile(new File(['x'], 'notes.txt'), server.url())
      expect(server.requests.at(-1)?.headers['content-name']).toBe('notes.txt')
    })
  })

  test('are resumed by their size and the date of a File', async () => {
    const file = (lastModified: number) => new File([CONTENT], 'a', { lastModified })
    await withServer(faulty('Fragment', 'drop'), async (server) => {
      const states: UploadState[] = []
      const job = new UploadJob(file(5), server.url(), { retries: 0, onState: (state) => states.push(state) })
      await clientError(job.run())
      expect(states).toMatchObject([{ size: CONTENT.length, modified: 5 }])
      const resume = states.at(-1)
      const other = await clientError(uploadFile(file(6), server.url(), { ...FAST, resume }))
      expect(other).toMatchObject({ fatal: true })
      expect(other.message).toBe(
        'The content has changed since its upload began; upload it from the beginning.',
      )
      const before = server.asked.length
      await uploadFile(file(5), server.url(), { ...FAST, resume })
      expect(server.asked[before]).toBe('Ping')
    })
  })

  test('that cannot be read are a fatal error', async () => {
    await withFile(300 * KB, async ({ path }) => {
      const blob = await openAsBlob(path)
      await appendFile(path, 'more')
      await withServer(wellBehaved, async (server) => {
        const error = await clientError(uploadFile(blob, server.url(), FAST))
        expect(error).toMatchObject({ fatal: true, packet: undefined, message: 'The Blob cannot be read.' })
      })
    })
  })

  test('may have a reply that is written to a file', async () => {
    const replyTo = join(await directory(), 'reply')
    const { origin } = await start({ directory: await directory(), onUpload: () => 'Thanks' })
    await uploadFile(Buffer.from('x'), `${origin}/uploads/a`, { replyTo })
    expect(await readFile(replyTo, 'utf8')).toBe('Thanks')
  })
})

test.each([undefined, null, 7, ['a'], new ArrayBuffer(3), {}])('%p is refused with a message', (content) => {
  expect(() => Reflect.construct(UploadJob, [content, 'http://127.0.0.1/'])).toThrow(
    /^express-bits-upload\/client: the file is .*: use a path, a Buffer or a Blob\.$/,
  )
})
