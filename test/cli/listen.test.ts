import { Server } from 'node:http'
import { describe, expect, test } from '@jest/globals'
import { createServerFor, listen } from '../../lib/cli/serve/listen.js'
import { readTls } from '../../lib/cli/serve/tls/tls-options.js'
import { Authority } from '../support/certificates.js'
import { fixtures } from '../support/fixtures.js'

const { directory } = fixtures()

const FLAGS = { maxHeaderSize: 65_536 }

describe('the server of serve', () => {
  test("gives a fragment on a slow connection more than Node's five minutes, over http and https", async () => {
    const { certFile, keyFile } = await (await Authority.create(await directory())).issue('server')
    for (const tls of [undefined, await readTls({ tlsCert: certFile, tlsKey: keyFile })]) {
      const server = createServerFor(() => {}, FLAGS, tls)
      // Only --idle-timeout ends a request.
      expect(server.requestTimeout).toBe(0)
      expect(server.headersTimeout).toBe(60_000)
      expect(server.timeout).toBe(900_000)
    }
  })

  test('does not close a connection while an application may still respond', () => {
    const server = createServerFor(() => {}, FLAGS, undefined, [{}, { notifyTimeout: 3600 }])
    expect(server.timeout).toBeGreaterThan(3_600_000)
  })
})

describe('a port on which this user is not allowed to listen', () => {
  class RefusedServer extends Server {
    override listen(): this {
      setImmediate(() => this.emit('error', Object.assign(new Error('listen EACCES'), { code: 'EACCES' })))
      return this
    }
  }

  test.each([
    ['linux', 'cannot listen on 127.0.0.1 port 443: ports below 1024 need more privileges'],
    [
      'win32',
      'cannot listen on 127.0.0.1 port 443: Windows reserves this port, or IIS or another program has it',
    ],
  ] as const)('is explained for %s', async (platform, message) => {
    const listening = listen(new RefusedServer(), { host: '127.0.0.1', port: 443 }, platform)
    await expect(listening).rejects.toThrow(message)
  })
})
