import { Agent } from 'node:http'
import { describe, expect, test } from '@jest/globals'
import { uploadFile } from 'express-bits-upload/client'
import { contentNameOf } from '../../lib/uploader/packet.js'
import { ScriptedServer, SESSION_ID, wellBehaved } from '../support/scripted-server.js'
import { KB, withFile, withServer } from '../support/upload-fixture.js'

describe('packets on the wire', () => {
  test('have the same lines in the same order as the Windows captures', async () => {
    await withFile(
      4892,
      ({ path, content }) =>
        withServer(wellBehaved, async (server) => {
          const url = server.url('/upload/2000mb-rfc2119.txt')
          await uploadFile(path, url, { userAgent: 'Microsoft BITS/6.7' })

          const line = 'BITS_POST /upload/2000mb-rfc2119.txt HTTP/1.1'
          const end = (length: number) => [
            'User-Agent: Microsoft BITS/6.7',
            `Host: 127.0.0.1:${server.port}`,
            `Content-Length: ${length}`,
            'Connection: Keep-Alive',
          ]
          expect(server.requests.map(({ head }) => head.split('\r\n'))).toEqual([
            [
              line,
              'Accept: */*',
              'BITS-Packet-Type: Create-Session',
              'BITS-Supported-Protocols: {7df0354d-249b-430f-820d-3d2a9bef4931}',
              'Content-Name: rfc2119.txt',
              ...end(0),
            ],
            [
              line,
              'Accept: */*',
              'BITS-Packet-Type: Fragment',
              `BITS-Session-Id: ${SESSION_ID}`,
              'Content-Name: rfc2119.txt',
              'Content-Range: bytes 0-4891/4892',
              ...end(4892),
            ],
            [
              line,
              'Accept: */*',
              'BITS-Packet-Type: Close-Session',
              `BITS-Session-Id: ${SESSION_ID}`,
              'Content-Name: rfc2119.txt',
              ...end(0),
            ],
          ])
          expect(server.requests[1]?.body.equals(content)).toBe(true)
        }),
      'rfc2119.txt',
    )
  })

  test('use one connection, which is closed at the end', async () => {
    await withFile(20 * KB, ({ path }) =>
      withServer(wellBehaved, async (server) => {
        await uploadFile(path, server.url(), { fragmentSize: 5 * KB })
        expect(server.connections).toBe(1)
        expect(server.requests).toHaveLength(6)
      }),
    )
  })

  test('use a given agent, and leave it open', async () => {
    const agent = new Agent({ keepAlive: true })
    try {
      await withFile(10, ({ path }) =>
        withServer(wellBehaved, async (server) => {
          await uploadFile(path, server.url(), { agent })
          expect(Object.keys(agent.freeSockets)).toHaveLength(1)
        }),
      )
    } finally {
      agent.destroy()
    }
  })

  test('cut the file into fragments of the given size', async () => {
    await withFile(12_000, ({ path, content }) =>
      withServer(wellBehaved, async (server) => {
        const result = await uploadFile(path, server.url(), { fragmentSize: 5120 })
        expect(server.asked).toEqual([
          'Create-Session',
          'Fragment bytes 0-5119/12000',
          'Fragment bytes 5120-10239/12000',
          'Fragment bytes 10240-11999/12000',
          'Close-Session',
        ])
        expect(Buffer.concat(server.requests.map(({ body }) => body)).equals(content)).toBe(true)
        expect(result).toEqual({ sessionId: SESSION_ID, bytes: 12_000 })
      }),
    )
  })

  test('an empty file is one empty fragment', async () => {
    await withFile(0, ({ path }) =>
      withServer(wellBehaved, async (server) => {
        expect(await uploadFile(path, server.url())).toEqual({ sessionId: SESSION_ID, bytes: 0 })
        expect(server.asked).toEqual(['Create-Session', 'Fragment bytes */0', 'Close-Session'])
        expect(server.requests[1]?.headers['content-length']).toBe('0')
      }),
    )
  })

  test('every request carries the headers of the user', async () => {
    await withFile(10, ({ path }) =>
      withServer(wellBehaved, async (server) => {
        const headers = { Authorization: 'Bearer t', 'X-Ticket': '7', 'user-agent': 'mine' }
        await uploadFile(path, server.url(), { headers })
        for (const request of server.requests) {
          expect(request.headers).toMatchObject({ authorization: 'Bearer t', 'x-ticket': '7' })
          expect(request.head.match(/user-agent: .*/gi)).toEqual(['user-agent: mine'])
        }
      }),
    )
  })

  test('a user name and password in the URL become Basic credentials', async () => {
    await withFile(10, ({ path }) =>
      withServer(wellBehaved, async (server) => {
        await uploadFile(path, server.url().replace('//', '//us%20er:p%C3%A4ss@'))
        const basic = `Basic ${Buffer.from('us er:päss').toString('base64')}`
        expect(server.requests.map(({ headers }) => headers.authorization)).toEqual([basic, basic, basic])
        expect(server.requests[0]?.head).not.toContain('@')
      }),
    )
  })

  test('the target keeps its query', async () => {
    await withFile(10, ({ path }) =>
      withServer(wellBehaved, async (server) => {
        await uploadFile(path, server.url('/a%20b/c.bin?ticket=7#part'))
        expect(server.requests[0]?.target).toBe('/a%20b/c.bin?ticket=7')
      }),
    )
  })

  test('IPv6 hosts are reached', async () => {
    const server = await ScriptedServer.start(wellBehaved, '::1').catch(() => undefined)
    if (!server) return
    try {
      await withFile(10, ({ path }) => uploadFile(path, `http://[::1]:${server.port}/f`))
      expect(server.requests[0]?.headers.host).toBe(`[::1]:${server.port}`)
    } finally {
      await server.stop()
    }
  })
})

describe('Content-Name', () => {
  test.each([
    ['plain name.txt', 'plain name.txt'],
    ['Käse\n€.txt', 'K%C3%A4se%0A%E2%82%AC.txt'],
    ['a*b:c?.txt', 'a%2Ab%3Ac%3F.txt'],
    ['lone \ud800 surrogate', 'lone %EF%BF%BD surrogate'],
    ['x'.repeat(261), undefined],
  ])('of %j is %j', (name, expected) => {
    expect(contentNameOf(name)).toBe(expected)
  })
})
