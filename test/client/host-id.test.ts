import { once } from 'node:events'
import { stat } from 'node:fs/promises'
import { createServer as createTlsServer } from 'node:https'
import { type AddressInfo, createServer } from 'node:net'
import { afterEach, describe, expect, test } from '@jest/globals'
import { UploadJob, type UploadState, uploadFile } from 'express-bits-upload/client'
import { UploadHost, withHost } from '../../lib/uploader/target-host.js'
import { Authority } from '../support/certificates.js'
import { fixtures } from '../support/fixtures.js'
import {
  ack,
  created,
  faulty,
  type Reply,
  received,
  type Script,
  ScriptedServer,
  wellBehaved,
} from '../support/scripted-server.js'
import { clientError, FAST, withFile, withServer } from '../support/upload-fixture.js'

const { directory, afterwards } = fixtures()

const running: ScriptedServer[] = []
afterEach(async () => {
  await Promise.all(running.splice(0).map((server) => server.stop()))
})

async function start(script: Script['answer']) {
  const server = await ScriptedServer.start(script)
  running.push(server)
  return server
}

/** An origin that redirects clients to another port of this machine. */
const sendingTo = (hostId: string, timeout?: number, fragment: Reply = received(10)) => {
  const fallback = timeout === undefined ? {} : { 'BITS-Host-Id-Fallback-Timeout': timeout }
  let sent = false
  return (request: Parameters<typeof wellBehaved>[0]): Reply => {
    if (request.headers['content-range']) return fragment
    if (request.headers['bits-packet-type'] !== 'Create-Session' || sent) return wellBehaved(request)
    sent = true
    return created({ 'BITS-Host-Id': hostId, ...fallback })
  }
}

describe('BITS-Host-Id', () => {
  test('gets a Ping first, then the fragments and Close-Session, with the same path', async () => {
    const other = await start(wellBehaved)
    const origin = await start(sendingTo(`127.0.0.1:${other.port}`, 110))
    await withFile(10, ({ path }) => uploadFile(path, origin.url('/a/b.bin?c=d'), FAST))
    expect(origin.asked).toEqual(['Create-Session'])
    expect(other.asked).toEqual(['Ping', 'Fragment bytes 0-9/10', 'Close-Session'])
    expect(other.requests[1]).toMatchObject({
      target: '/a/b.bin?c=d',
      headers: { host: `127.0.0.1:${other.port}` },
    })
  })

  test('that fails is replaced by the original host when the fallback time has passed', async () => {
    const other = await start(() => 'drop')
    const origin = await start(sendingTo(`127.0.0.1:${other.port}`, 1))
    const began = Date.now()
    await withFile(10, ({ path }) =>
      uploadFile(path, origin.url(), { minRetryDelay: 100, maxRetryDelay: 10_000, retries: 20 }),
    )
    expect(Date.now() - began).toBeGreaterThanOrEqual(1000)
    expect(Date.now() - began).toBeLessThan(3000)
    expect(other.asked.every((packet) => packet === 'Ping')).toBe(true)
    expect(origin.asked).toEqual(['Create-Session', 'Ping', 'Fragment bytes 0-9/10', 'Close-Session'])
  })

  test('is kept forever without a fallback time', async () => {
    const other = await start(() => 'drop')
    const origin = await start(sendingTo(`127.0.0.1:${other.port}`))
    await withFile(10, async ({ path }) => {
      const error = await clientError(uploadFile(path, origin.url(), { ...FAST, retries: 3 }))
      expect(error.packet).toBe('Ping')
    })
    expect(origin.asked).toEqual(['Create-Session'])
    expect(other.asked).toHaveLength(4)
  })

  test('resets the number of retries for the original host', async () => {
    const other = await start(() => 'drop')
    const origin = await start(faulty('Ping', 'drop', 'drop'))
    const state = {
      sessionId: 'a',
      offset: 0,
      size: 10,
      hostId: `127.0.0.1:${other.port}`,
      hostIdFallbackTimeout: 0,
    }
    await withFile(10, async ({ path }) => {
      const resume: UploadState = { ...state, modified: (await stat(path)).mtimeMs }
      await uploadFile(path, origin.url(), { ...FAST, retries: 2, resume })
    })
    expect(other.asked).toEqual(['Ping'])
    expect(origin.asked).toEqual(['Ping', 'Ping', 'Ping', 'Fragment bytes 0-9/10', 'Close-Session'])
  })

  test.each([
    'user@evil/path',
    // Another scheme would send the credentials without encryption.
    'http://evil',
  ])('that is not a host is fatal: %s', async (hostId) => {
    await withFile(10, ({ path }) =>
      withServer(faulty('Create-Session', created({ 'BITS-Host-Id': hostId })), async (server) => {
        const error = await clientError(uploadFile(path, server.url(), FAST))
        expect(error).toMatchObject({ fatal: true, message: 'BITS-Host-Id is not a host.' })
      }),
    )
  })

  describe('of an https server never gets credentials without encryption', () => {
    /** A port that records what it receives, and closes the connection. */
    async function listen() {
      const arrived: Buffer[] = []
      const server = createServer((socket) => {
        socket
          .on('error', () => {})
          .on('data', (bytes) => {
            arrived.push(bytes)
            socket.destroy()
          })
      }).listen(0, '127.0.0.1')
      await once(server, 'listening')
      afterwards(() => server.close())
      return { port: (server.address() as AddressInfo).port, arrived }
    }

    /**
     * An https server whose Acks redirect clients to `hostId`. @returns an upload to it, with a password and a header.
     */
    async function uploadVia(hostId: string) {
      const authority = await Authority.create(await directory())
      const { key, cert } = await authority.issue('server')
      const server = createTlsServer({ key, cert })
      // Node's parser rejects the verb, so respond to any data.
      server.removeAllListeners('secureConnection').on('secureConnection', (socket) => {
        const head =
          'HTTP/1.1 200 OK\r\nBITS-Packet-Type: Ack\r\nBITS-Session-Id: {A}\r\nContent-Length: 0\r\n'
        socket.on('error', () => {}).on('data', () => socket.write(`${head}BITS-Host-Id: ${hostId}\r\n\r\n`))
      })
      server.listen(0, '127.0.0.1')
      await once(server, 'listening')
      afterwards(() => server.close())
      const url = `https://u:secret@127.0.0.1:${(server.address() as AddressInfo).port}/file`
      const options = { ...FAST, retries: 2, tls: { ca: authority.own.cert }, headers: { 'X-Key': 'secret' } }
      return withFile(10, ({ path }) => clientError(uploadFile(path, url, options)))
    }

    test('a host id with http: is fatal', async () => {
      const { port, arrived } = await listen()
      const error = await uploadVia(`http://127.0.0.1:${port}`)
      expect(error).toMatchObject({ fatal: true, message: 'BITS-Host-Id is not a host.' })
      expect(arrived).toEqual([])
    })

    test('a host id without a scheme is asked by https', async () => {
      const { port, arrived } = await listen()
      await uploadVia(`127.0.0.1:${port}`)
      expect(arrived.length).toBeGreaterThan(0)
      // Each one is a record of a TLS handshake (RFC 8446 5.1).
      for (const bytes of arrived) {
        expect(bytes[0]).toBe(22)
        expect(bytes.toString('latin1')).not.toMatch(/secret|dTpzZWNyZXQ|BITS/)
      }
    })
  })

  test('does not change where the reply is fetched from', async () => {
    const other = await start(faulty('Fragment', received(10, { 'BITS-Reply-URL': 'reply.bin' })))
    const script = sendingTo(`127.0.0.1:${other.port}`, 110)
    const origin = await start((request) => (request.method === 'GET' ? { body: 'reply' } : script(request)))
    await withFile(10, async ({ path }) => {
      const { reply } = await uploadFile(path, origin.url('/a/b.bin'), FAST)
      expect(String(reply)).toBe('reply')
    })
    expect(origin.asked).toEqual(['Create-Session', 'GET /a/reply.bin'])
    expect(other.asked.at(-1)).toBe('Close-Session')
  })

  test('receives the same headers as the original host, including credentials', async () => {
    const other = await start(wellBehaved)
    const origin = await start(sendingTo(`127.0.0.1:${other.port}`))
    await withFile(10, ({ path }) => uploadFile(path, origin.url().replace('//', '//u:p@'), FAST))
    expect(other.requests.map(({ headers }) => headers.authorization)).toEqual(Array(3).fill('Basic dTpw'))
  })

  test('is ignored with followHostId: false, even in a saved state', async () => {
    const other = await start(wellBehaved)
    const hostId = `127.0.0.1:${other.port}`
    const origin = await start(sendingTo(hostId))
    await withFile(10, async ({ path }) => {
      const states: UploadState[] = []
      const stay = { ...FAST, followHostId: false }
      await uploadFile(path, origin.url(), { ...stay, onState: (state) => states.push(state) })
      expect(origin.asked).toEqual(['Create-Session', 'Fragment bytes 0-9/10', 'Close-Session'])
      expect(states.map((state) => state.hostId)).toEqual([undefined, undefined])
      const { mtimeMs: modified } = await stat(path)
      const resume = { sessionId: 'a', offset: 0, size: 10, modified, hostId }
      await uploadFile(path, origin.url(), { ...stay, resume })
      await new UploadJob(path, origin.url(), { ...stay, resume }).cancel()
    })
    expect(origin.asked.slice(3)).toEqual([
      'Ping',
      'Fragment bytes 0-9/10',
      'Close-Session',
      'Cancel-Session',
    ])
    expect(other.asked).toEqual([])
  })

  test('stays with a resumed upload', async () => {
    const other = await start(wellBehaved)
    const origin = await start(() => ack())
    await withFile(10, async ({ path }) => {
      const { mtimeMs } = await stat(path)
      const resume = {
        sessionId: 'a',
        offset: 0,
        size: 10,
        modified: mtimeMs,
        hostId: `127.0.0.1:${other.port}`,
      }
      await uploadFile(path, origin.url(), { ...FAST, resume })
    })
    expect(origin.asked).toEqual([])
    expect(other.asked).toEqual(['Ping', 'Fragment bytes 0-9/10', 'Close-Session'])
  })
})

describe('the host of a URL is replaced', () => {
  const url = new URL('https://origin:8443/a%20b/c?d=e')
  test.each([
    ['FRANKCAO8', 'https://frankcao8:8443/a%20b/c?d=e'],
    ['other:99', 'https://other:99/a%20b/c?d=e'],
    ['other:443', 'https://other/a%20b/c?d=e'],
    ['10.0.0.7', 'https://10.0.0.7:8443/a%20b/c?d=e'],
    ['[fe80::1]', 'https://[fe80::1]:8443/a%20b/c?d=e'],
    ['[fe80::1]:99', 'https://[fe80::1]:99/a%20b/c?d=e'],
    ['fe80::1', 'https://[fe80::1]:8443/a%20b/c?d=e'],
    ['', undefined],
    ['a/b', undefined],
    ['a@b', undefined],
    ['a?b', undefined],
    ['a b', undefined],
    ['a:99999', undefined],
    ['x'.repeat(301), undefined],
  ])('by %j: %j', (hostId, expected) => {
    expect(withHost(url, hostId)?.href).toBe(expected)
  })
})

describe('the fallback timer', () => {
  const make = (timeout?: number) => {
    const clock = { now: 0 }
    const host = new UploadHost(new URL('http://origin/'), undefined, () => clock.now)
    host.adopt('other', timeout)
    return { clock, host }
  }

  test('runs from the first failure', () => {
    const { clock, host } = make(110)
    host.failed()
    clock.now = 100_000
    host.failed()
    expect(host.untilFallback()).toBe(10_000)
    expect(host.fallBackIfDue()).toBe(false)
    expect(host.url.hostname).toBe('other')
    clock.now = 110_000
    expect(host.fallBackIfDue()).toBe(true)
    expect(host.url.hostname).toBe('origin')
  })

  test('is reset after a successful fragment', () => {
    const { clock, host } = make(110)
    host.failed()
    host.reached()
    clock.now = 200_000
    expect(host.fallBackIfDue()).toBe(false)
    host.failed()
    expect(host.untilFallback()).toBe(110_000)
  })

  test('never ends without a fallback time', () => {
    const { clock, host } = make()
    host.failed()
    clock.now = 1e12
    expect(host.fallBackIfDue()).toBe(false)
  })
})
