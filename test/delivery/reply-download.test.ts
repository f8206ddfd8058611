import { Readable } from 'node:stream'
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals'
import { type BitsUploadOptions, type ByteRange, MemoryStorage, type StagedUpload } from 'express-bits-upload'
import { RawConnection } from '../support/raw.js'
import { type Running, serve, temporaryDirectory } from '../support/serve.js'
import { contentOf } from '../support/upload-fixture.js'
import { ask, pause, replyPath, upload } from './support.js'

const PATH = '/uploads/sub/file.bin'
const REPLY = contentOf(10_240)

const storages: [string, (directory: string) => BitsUploadOptions][] = [
  ['MemoryStorage', () => ({ storage: new MemoryStorage() })],
  ['FileStorage', (directory) => ({ directory })],
]

describe.each(storages)('a reply of %s', (_name, place) => {
  let root: Awaited<ReturnType<typeof temporaryDirectory>>
  let running: Running
  let path: string
  let id: string

  beforeAll(async () => {
    root = await temporaryDirectory()
    running = await serve({ ...place(root.path), onUpload: () => REPLY })
    const connection = await RawConnection.open(running.port)
    const uploaded = await upload(connection, PATH, contentOf(100))
    path = replyPath(PATH, uploaded.ack)
    id = uploaded.id
    connection.end()
  })

  afterAll(async () => {
    await running.stop()
    await root.remove()
  })

  const range = (value: string, headers: Record<string, string> = {}) =>
    ask(running, path, { Range: value, ...headers })

  test('is sent in full, with the headers that BITS needs (MC-BUP 3.5.5)', async () => {
    const { status, headers, body } = await ask(running, path)
    expect(status).toBe(200)
    expect(body.equals(REPLY)).toBe(true)
    expect(headers).toMatchObject({
      'content-length': '10240',
      'content-type': 'application/octet-stream',
      'accept-ranges': 'bytes',
      'last-modified': expect.stringMatching(/ GMT$/),
      etag: expect.stringMatching(/^"[^"]+"$/),
      'content-location': `http://127.0.0.1:${running.port}${path}`,
      'x-content-type-options': 'nosniff',
      'content-disposition': 'attachment',
      'cache-control': 'private, no-cache',
    })
    expect(Math.abs(Date.parse(headers['last-modified'] ?? '') - Date.now())).toBeLessThan(60_000)
  })

  test('has a Content-Location for a request in absolute form, too', async () => {
    const url = `http://127.0.0.1:${running.port}${path}`
    expect((await ask(running, url)).headers['content-location']).toBe(url)
  })

  test('is described for HEAD', async () => {
    const got = await ask(running, path)
    const { status, headers, body } = await ask(running, path, {}, 'HEAD')
    expect([status, body.length]).toEqual([200, 0])
    for (const name of ['content-length', 'etag', 'last-modified', 'accept-ranges', 'content-type']) {
      expect(headers[name]).toBe(got.headers[name])
    }
  })

  test('is described in full for HEAD with a Range, which applies to GET', async () => {
    const { status, headers } = await ask(running, path, { Range: 'bytes=0-9' }, 'HEAD')
    expect([status, headers['content-length']]).toEqual([200, '10240'])
  })

  test.each([
    ['bytes=0-9976', 0, 9976],
    ['bytes=0-0', 0, 0],
    ['Bytes=0-9', 0, 9],
    ['bytes=0-9, ,', 0, 9],
    ['bytes=10239-10239', 10239, 10239],
    ['bytes=9977-10239', 9977, 10239],
    ['bytes=9977-99999', 9977, 10239],
    ['bytes=9977-', 9977, 10239],
    ['bytes=-100', 10140, 10239],
    ['bytes=-99999', 0, 10239],
    ['bytes=50000-60000,5-9', 5, 9],
  ])('is sent in part for %s', async (value, first, last) => {
    const { status, headers, body } = await range(value)
    expect(status).toBe(206)
    expect(headers['content-range']).toBe(`bytes ${first}-${last}/10240`)
    expect(headers['content-length']).toBe(String(last - first + 1))
    expect(headers).toHaveProperty('last-modified')
    expect(headers).toHaveProperty('etag')
    expect(body.equals(REPLY.subarray(first, last + 1))).toBe(true)
  })

  test.each([
    [
      'far from each other',
      'bytes=0-9,100-199,10000-10239',
      [
        [0, 9],
        [100, 199],
        [10000, 10239],
      ],
    ],
    [
      'in any order',
      'bytes=500-599,0-99',
      [
        [500, 599],
        [0, 99],
      ],
    ],
    [
      'that touch',
      'bytes=0-99,100-199',
      [
        [0, 99],
        [100, 199],
      ],
    ],
    [
      'of which one is beyond the end',
      'bytes=0-9,20000-20001,10230-99999',
      [
        [0, 9],
        [10230, 10239],
      ],
    ],
  ])('is sent in parts for ranges %s: as requested, without merging', async (_name, value, wanted) => {
    const { status, headers, body } = await range(value)
    expect(status).toBe(206)
    expect(headers['content-length']).toBe(String(body.length))
    const boundary = /^multipart\/byteranges; boundary=(\w+)$/.exec(headers['content-type'] ?? '')?.[1] ?? '?'
    const { parts, closed } = partsOf(body, boundary)
    expect(closed).toBe(true)
    expect(parts.map(({ head }) => head['content-range'])).toEqual(
      wanted.map(([first, last]) => `bytes ${first}-${last}/10240`),
    )
    for (const [n, [first = 0, last = 0]] of wanted.entries()) {
      expect(parts[n]?.body.equals(REPLY.subarray(first, last + 1))).toBe(true)
      const { 'content-range': _range, 'content-type': type, ...others } = parts[n]?.head ?? {}
      expect(type).toBe('application/octet-stream')
      // Win32 HTTP Requirements for BITS Downloads: other headers take at most 180 bytes.
      expect(JSON.stringify(others).length).toBeLessThanOrEqual(180)
    }
  })

  test.each(['bytes=10240-', 'bytes=10240-10250', 'bytes=20000-20001,30000-', 'bytes=-0'])(
    'gets 416 for %s, which is beyond its end',
    async (value) => {
      const { status, headers, body } = await range(value)
      expect([status, body.length]).toEqual([416, 0])
      expect(headers['content-range']).toBe('bytes */10240')
      expect(headers['content-length']).toBe('0')
    },
  )

  test.each(['bytes', 'bytes=', 'bytes=x-y', 'lines=1-2', 'bytes=5-2', 'bytes=0-1,5-2'])(
    'is sent in full for "%s", which is not a byte range',
    async (value) => {
      const { status, body } = await range(value)
      expect(status).toBe(200)
      expect(body.equals(REPLY)).toBe(true)
    },
  )

  test.each([
    ['that overlap', 'bytes=0-99,50-149'],
    ['that overlap in another order', 'bytes=500-599,0-9,599-700'],
    ['that are the same, of which there are many', `bytes=${Array(64).fill('0-').join(',')}`],
    [
      'of which there are more than 8',
      `bytes=${Array.from({ length: 9 }, (_, n) => `${10 * n}-${10 * n}`).join(',')}`,
    ],
  ])('is sent in full for ranges %s (RFC 9110 14.2)', async (_name, value) => {
    const { status, body } = await range(value)
    expect(status).toBe(200)
    expect(body.equals(REPLY)).toBe(true)
  })

  test('is sent in part if If-Range matches, and otherwise in full', async () => {
    const { headers } = await ask(running, path)
    const { etag = '', 'last-modified': lastModified = '' } = headers
    const earlier = new Date(Date.parse(lastModified) - 5000).toUTCString()
    const later = new Date(Date.parse(lastModified) + 5000).toUTCString()
    const statuses: [string, number][] = [
      [etag, 206],
      [lastModified, 206],
      ['"another"', 200],
      [`W/${etag}`, 200],
      [earlier, 200],
      [later, 200],
      ['nonsense', 200],
    ]
    for (const [ifRange, status] of statuses) {
      expect([ifRange, (await range('bytes=0-9', { 'If-Range': ifRange })).status]).toEqual([ifRange, status])
    }
  })

  test('is sent only if If-Match and If-Unmodified-Since match', async () => {
    const { headers } = await ask(running, path)
    const { etag = '', 'last-modified': lastModified = '' } = headers
    const shifted = (by: number) => new Date(Date.parse(lastModified) + by).toUTCString()
    const statuses: [Record<string, string>, number][] = [
      [{ 'If-Match': etag }, 200],
      [{ 'If-Match': `"other", ${etag}` }, 200],
      [{ 'If-Match': '*' }, 200],
      [{ 'If-Match': '"other"' }, 412],
      [{ 'If-Unmodified-Since': lastModified }, 200],
      [{ 'If-Unmodified-Since': shifted(5000) }, 200],
      [{ 'If-Unmodified-Since': shifted(-5000) }, 412],
      [{ 'If-Unmodified-Since': 'nonsense' }, 200],
      // The tag takes precedence (RFC 9110 13.1.4).
      [{ 'If-Match': etag, 'If-Unmodified-Since': shifted(-5000) }, 200],
    ]
    for (const [conditions, status] of statuses) {
      expect([conditions, (await ask(running, path, conditions)).status]).toEqual([conditions, status])
    }
  })

  test('is not sent again to a client that has it', async () => {
    const { headers } = await ask(running, path)
    const { etag = '', 'last-modified': lastModified = '' } = headers
    for (const condition of [{ 'If-None-Match': etag }, { 'If-Modified-Since': lastModified }]) {
      for (const method of ['GET', 'HEAD']) {
        const { status, body } = await ask(running, path, { ...condition }, method)
        expect([status, body.length]).toEqual([304, 0])
      }
    }
    expect((await ask(running, path, { 'If-None-Match': '"another"' })).status).toBe(200)
  })

  test('is found however a client writes its URL', async () => {
    const guid = id.slice(1, -1)
    const forms = [
      `BITS-Sessions/Replies/%7B${guid}%7D/responsefile.bin`,
      `BITS-Sessions/Replies/%7b${guid.toLowerCase()}%7d/responsefile.bin`,
      `BITS-Sessions/Replies/{${guid}}/responsefile.bin`,
      `BITS-Sessions\\Replies\\{${guid}}\\responsefile.bin`,
      `BITS-Sessions%5CReplies%5C%7B${guid}%7D%5Cresponsefile.bin`,
      `BITS-Sessions/Replies/${guid}/responsefile.bin`,
      `bits-sessions/replies/%7B${guid}%7D/RESPONSEFILE.BIN`,
      `BITS-Sessions/Replies/%7B${guid}%7D/responsefile.bin?ACCOUNT=1`,
    ]
    for (const form of forms) {
      expect([form, (await ask(running, `/uploads/sub/${form}`)).status]).toEqual([form, 200])
    }
    const absolute = await ask(running, `http://another.example.com${path}`)
    expect(absolute.status).toBe(200)
  })
})

test('a reply that fails on the server is reported, and one that the client aborts is not', async () => {
  class Breaking extends MemoryStorage {
    breaks = true
    override readReply(upload: StagedUpload, range?: ByteRange): Readable {
      if (!this.breaks) return super.readReply(upload, range)
      return Readable.from(
        (function* () {
          yield Buffer.alloc(100)
          throw new Error('the disk is broken')
        })(),
      )
    }
  }
  const storage = new Breaking()
  const running = await serve({ storage, onUpload: () => Buffer.alloc(8 * 1024 * 1024) })
  const errors: string[] = []
  running.bits.on('error', ({ message }) => errors.push(message))
  const connection = await RawConnection.open(running.port)
  const { ack } = await upload(connection, PATH, contentOf(100))
  await expect(ask(running, replyPath(PATH, ack))).rejects.toThrow()
  expect(errors).toEqual(['the disk is broken'])
  storage.breaks = false
  connection.write(Buffer.from(`GET ${replyPath(PATH, ack)} HTTP/1.1\r\nHost: h\r\n\r\n`))
  await pause(50)
  connection.reset()
  await pause(100)
  await running.stop()
  expect(errors).toHaveLength(1)
})

describe('a reply that cannot be read', () => {
  class Unreadable extends MemoryStorage {
    override async statReply(): Promise<never> {
      throw new Error('the disk is broken')
    }
  }

  test('is reported by a path without query and session id: the id is enough to continue the upload', async () => {
    const running = await serve({ storage: new Unreadable(), onUpload: () => REPLY })
    const urls: (string | undefined)[] = []
    running.bits.on('error', (_error, { path: url }) => urls.push(url))
    const connection = await RawConnection.open(running.port)
    const { ack, id } = await upload(connection, PATH, contentOf(100))
    connection.end()
    const guid = id.slice(1, -1)
    const digits = guid.replace(/[0-9A-F]/g, (digit) => `%${digit.charCodeAt(0).toString(16)}`)
    const forms = [
      `${replyPath(PATH, ack)}?key=secret`,
      `/uploads/sub/BITS-Sessions/Replies/%7b${guid.toLowerCase()}%7d/responsefile.bin`,
      `/uploads/sub/BITS-Sessions/Replies/{${guid}}/responsefile.bin`,
      `/uploads/sub/BITS-Sessions\\Replies\\{${guid}}\\responsefile.bin`,
      `/uploads/sub/BITS-Sessions%5CReplies%5C%7B${guid}%7D%5Cresponsefile.bin`,
      `/uploads/sub/BITS-Sessions/Replies/${digits}/responsefile.bin`,
      `http://user:secret@other.example.com${replyPath(PATH, ack)}#secret`,
    ]
    for (const form of forms) {
      const { status, body } = await ask(running, form)
      expect([form, status, body.length]).toEqual([form, 500, 0])
    }
    await running.stop()
    expect(urls).toHaveLength(forms.length)
    for (const url of urls) {
      expect(url).toMatch(/^\/uploads\/sub\//)
      for (const secret of ['secret', digits, guid, guid.toLowerCase()]) expect(url).not.toContain(secret)
    }
    expect(urls[0]).toMatch(/^\/uploads\/sub\/BITS-Sessions\/Replies\/%7bSESSION-\d+%7d\/responsefile\.bin$/i)
    expect(running.logger.lines.join().toUpperCase()).not.toContain(guid)
  })
})

interface Part {
  head: Record<string, string>
  body: Buffer
}

/** Parses a multipart body by its boundary alone, from the very first byte. */
function partsOf(body: Buffer, boundary: string): { parts: Part[]; closed: boolean } {
  const parts: Part[] = []
  let rest = Buffer.concat([Buffer.from('\r\n'), body])
  const delimiter = Buffer.from(`\r\n--${boundary}`)
  if (rest.indexOf(delimiter) !== 0) throw new Error('The body does not begin with its boundary.')
  for (;;) {
    rest = rest.subarray(delimiter.length)
    if (rest.toString('latin1') === '--\r\n') return { parts, closed: true }
    const end = rest.indexOf(delimiter)
    if (end < 0) return { parts, closed: false }
    const part = rest.subarray(2, end)
    const split = part.indexOf('\r\n\r\n')
    const lines = part.subarray(0, split).toString('latin1').split('\r\n')
    const head = Object.fromEntries(
      lines.map((line) => [
        line.slice(0, line.indexOf(':')).toLowerCase(),
        line.slice(line.indexOf(':') + 2),
      ]),
    )
    parts.push({ head, body: part.subarray(split + 4) })
    rest = rest.subarray(end)
  }
}
