import { describe, expect, test } from '@jest/globals'
import { createServerFor } from '../../lib/cli/serve/listen.js'
import { Authority } from '../support/certificates.js'
import { fixtures } from '../support/fixtures.js'

const { directory } = fixtures()

const FLAGS = {
  host: '127.0.0.1',
  port: 0,
  path: '/',
  grace: 30,
  idleTimeout: 300,
  realm: '',
  createDirectories: true,
  accessLog: '-',
  logFormat: 'none',
} as const

describe('the server of serve', () => {
  test('gives a fragment on a slow line more than the five minutes of Node, by http and https', async () => {
    const folder = await directory()
    const { certFile, keyFile } = await (await Authority.create(folder)).issue('server')
    for (const tls of [{}, { tlsCert: certFile, tlsKey: keyFile }]) {
      const server = (await createServerFor({ ...FLAGS, ...tls }))(() => {})
      // No limit. What ends a connection is that nothing moves for a quarter of an hour.
      expect(server.requestTimeout).toBe(0)
      expect(server.timeout).toBe(900_000)
    }
  })

  test('does not end a connection while an application may still answer', async () => {
    const server = (await createServerFor({ ...FLAGS, notifyTimeout: 3600 }))(() => {})
    expect(server.timeout).toBeGreaterThan(3_600_000)
  })
})
