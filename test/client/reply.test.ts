import { readdir, readFile, stat } from 'node:fs/promises'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { describe, expect, test } from '@jest/globals'
import { type UploadOptions, uploadFile } from 'express-bits-upload/client'
import {
  type Answer,
  faulty,
  type RecordedRequest,
  type Reply,
  received,
  ScriptedServer,
  wellBehaved,
} from '../support/scripted-server.js'
import { clientError, contentOf, FAST, KB, withFile, withServer } from '../support/upload-fixture.js'

/** A server that ends the upload with this reply URL, and responds to a GET as scripted. */
const replying = (url: string, get: (request: RecordedRequest) => Reply) => {
  const upload = faulty('Fragment', received(10, { 'BITS-Reply-URL': url }))
  return (request: RecordedRequest): Reply => (request.method === 'GET' ? get(request) : upload(request))
}

/** The requested range of this reply. */
function piece(reply: Buffer, request: RecordedRequest, headers: Record<string, string> = {}): Answer {
  const [, first = 0, last = 0] = (/^bytes=(\d+)-(\d+)$/.exec(request.headers.range ?? '') ?? []).map(Number)
  const body = reply.subarray(first, last + 1)
  const range = `bytes ${first}-${first + body.length - 1}/${reply.length}`
  return { status: 206, headers: { 'Content-Length': body.length, 'Content-Range': range, ...headers }, body }
}

const upload = (
  script: Parameters<typeof withServer>[0],
  options: UploadOptions = {},
  target = '/a/b/file.bin?c=d',
) =>
  withFile(10, ({ path }) =>
    withServer(script, async (server) => ({
      result: await uploadFile(path, server.url(target), { ...FAST, ...options }),
      server,
    })),
  )

describe('BITS-Reply-URL', () => {
  test('of IIS is resolved against the directory of the destination, and fetched before Close-Session', async () => {
    const url = 'BITS-Sessions\\Replies\\{C85B4E0A-9EB9-4114-BFA4-8A43B4710091}\\responsefile.bin'
    const { result, server } = await upload(
      replying(url, (request) => piece(Buffer.from('Thanks.'), request)),
    )
    const target = '/a/b/BITS-Sessions/Replies/%7BC85B4E0A-9EB9-4114-BFA4-8A43B4710091%7D/responsefile.bin'
    expect(server.asked.slice(1)).toEqual(['Fragment bytes 0-9/10', `GET ${target}`, 'Close-Session'])
    expect(server.requests[2]?.headers).toMatchObject({
      'accept-encoding': 'identity',
      range: 'bytes=0-1048575',
      'user-agent': 'Microsoft BITS/7.8',
    })
    expect(String(result.reply)).toBe('Thanks.')
    expect(result.replyUrl).toMatch(new RegExp(`^http://127\\.0\\.0\\.1:\\d+${target}$`))
  })

  test('is taken from the Ack that ends the upload, even a 416', async () => {
    const ends = faulty('Fragment', received(10, { 'BITS-Reply-URL': 'r' }, 416))
    const { result } = await upload((request) => (request.method === 'GET' ? { body: 'R' } : ends(request)))
    expect(String(result.reply)).toBe('R')
  })

  test('of an earlier Ack is ignored', async () => {
    const script = faulty('Fragment', received(5, { 'BITS-Reply-URL': 'r' }))
    const { result, server } = await upload(script)
    expect(result.replyUrl).toBeUndefined()
    expect(server.asked.at(-1)).toBe('Close-Session')
  })

  test("may be absolute; the user's headers are sent to the same origin only", async () => {
    const other = await ScriptedServer.start(() => ({ body: 'static' }))
    try {
      const headers = { Authorization: 'Basic c2VjcmV0', 'X-Ticket': 'secret' }
      const there = await upload(
        replying(other.url('/static.bin'), () => 'drop'),
        { headers },
      )
      expect(String(there.result.reply)).toBe('static')
      expect(other.asked).toEqual(['GET /static.bin'])
      expect(other.requests[0]?.head).not.toMatch(/authorization|x-ticket/i)

      const here = await upload(
        replying('/r.bin', () => ({ body: 'here' })),
        { headers },
      )
      expect(here.server.requests[2]?.headers).toMatchObject({ 'x-ticket': 'secret' })
    } finally {
      await other.stop()
    }
  })

  test('that is not a URL is fatal', async () => {
    const error = await clientError(upload(replying('ftp://host/reply', () => 'drop')))
    expect(error).toMatchObject({ fatal: true, message: 'BITS-Reply-URL is not an http: or https: URL.' })
  })
})

describe('a reply', () => {
  const large = contentOf(2500 * KB)

  test('in several chunks is written to replyTo, completely or not at all', async () => {
    await withFile(1, async ({ directory }) => {
      const replyTo = join(directory, 'reply.bin')
      const { result, server } = await upload(
        replying('r', (request) => piece(large, request)),
        { replyTo },
      )
      expect(server.asked.filter((packet) => packet.startsWith('GET'))).toHaveLength(3)
      expect(result.reply).toBeUndefined()
      expect((await readFile(replyTo)).equals(large)).toBe(true)

      const lost = upload(
        replying('r', (request) =>
          request.headers.range === 'bytes=0-1048575' ? piece(large, request) : 'drop',
        ),
        { replyTo: join(directory, 'lost.bin'), retries: 1 },
      )
      await expect(lost).rejects.toThrow(/No response to GET/)
      expect((await readdir(directory)).sort()).toEqual(['file.bin', 'reply.bin'])
    })
  })

  test('resumes where the connection broke', async () => {
    let broken = false
    const { result, server } = await upload(
      replying('r', (request) => {
        if (broken || request.headers.range === 'bytes=0-1048575') return piece(large, request)
        broken = true
        return 'drop'
      }),
      { maxReplySize: 10 * 1024 * KB },
    )
    expect(result.reply?.equals(large)).toBe(true)
    expect(server.asked).toContain('Ping')
    expect(server.requests.map(({ headers }) => headers.range).filter(Boolean)).toEqual([
      'bytes=0-1048575',
      'bytes=1048576-2097151',
      'bytes=1048576-2097151',
      'bytes=2097152-3145727',
    ])
  })

  test('from a server without ranges is fetched from the beginning', async () => {
    const { result } = await upload(
      replying('r', () => ({ body: large })),
      { maxReplySize: large.length },
    )
    expect(result.reply?.equals(large)).toBe(true)
  })

  test('that changes in the meantime is fetched again', async () => {
    const newer = contentOf(1100 * KB).reverse()
    let count = 0
    const { result } = await upload(
      replying('r', (request) =>
        ++count === 1 ? piece(large, request, { ETag: '"1"' }) : piece(newer, request, { ETag: '"2"' }),
      ),
      { maxReplySize: 10 * 1024 * KB },
    )
    expect(result.reply?.equals(newer)).toBe(true)
  })

  test('may be empty', async () => {
    const empty = replying('r', () => ({ status: 416, headers: { 'Content-Range': 'bytes */0' } }))
    expect((await upload(empty)).result.reply).toHaveLength(0)
    expect((await upload(replying('r', () => ({ body: '' })))).result.reply).toHaveLength(0)
  })

  test('above maxReplySize is refused, 1 MiB in memory by default', async () => {
    const tooLarge = Buffer.alloc(1024 * KB + 1)
    for (const reply of [
      (request: RecordedRequest) => piece(tooLarge, request),
      (): Answer => ({ body: tooLarge }),
    ]) {
      const error = await clientError(upload(replying('r', reply)))
      expect(error).toMatchObject({ fatal: true, packet: 'GET' })
      expect(error.message).toMatch(/over 1048576 bytes: raise maxReplySize/)
    }
    const fits = await upload(replying('r', (request) => piece(tooLarge.subarray(1), request)))
    expect(fits.result.reply).toHaveLength(1024 * KB)
  })

  test.each<[string, Reply, RegExp]>([
    ['is missing', { status: 404 }, /answered GET with 404, 0x80190194 \(BG_E_HTTP_ERROR_404\)/],
    ['moved', { status: 302 }, /with 302/],
    ['is encoded', { headers: { 'Content-Encoding': 'gzip' }, body: 'x' }, /is encoded/],
    ['has no range', { status: 206, body: 'x' }, /has no Content-Range of one range/],
  ])('that %s is fatal, and the session stays open', async (_, answer, message) => {
    const asked: string[] = []
    const script = replying('r', () => answer)
    const error = await clientError(
      upload((request) => {
        asked.push(request.headers['bits-packet-type'] ?? request.method)
        return script(request)
      }),
    )
    expect(error.message).toMatch(message)
    expect(error.fatal).toBe(true)
    expect(asked).toEqual(['Create-Session', 'Fragment', 'GET'])
  })

  test('is fetched by a resumed upload whose bytes were all acknowledged', async () => {
    await withFile(10, ({ path }) =>
      withServer(
        replying('r', () => ({ body: 'late' })),
        async (server) => {
          const { mtimeMs } = await stat(path)
          const resume = { sessionId: 'a', offset: 10, size: 10, modified: mtimeMs, replyUrl: 'r' }
          const { reply } = await uploadFile(path, server.url(), { ...FAST, resume })
          expect(String(reply)).toBe('late')
          expect(server.asked).toEqual(['Ping', 'GET /uploads/r', 'Close-Session'])
        },
      ),
    )
  })

  test('is not waited for forever', async () => {
    const stuck = createServer((request, response) => {
      if (request.method !== 'GET') return
      response.writeHead(200, { 'Content-Length': 100 }).write('half')
    })
    stuck.listen(0, '127.0.0.1')
    await new Promise((resolve) => stuck.on('listening', resolve))
    const { port } = stuck.address() as AddressInfo
    try {
      const error = await clientError(
        upload(
          replying(`http://127.0.0.1:${port}/r`, () => 'drop'),
          { responseTimeout: 100, retries: 0 },
        ),
      )
      expect(error.message).toBe('The server did not answer (GET) within 100 ms.')
    } finally {
      stuck.closeAllConnections()
      stuck.close()
    }
  })
})

test('there is no reply without BITS-Reply-URL', async () => {
  const { result } = await upload(wellBehaved)
  expect(Object.keys(result)).toEqual(['sessionId', 'bytes'])
})
