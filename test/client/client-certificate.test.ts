import type { SecureVersion } from 'node:tls'
import { describe, expect, test } from '@jest/globals'
import { uploadFile } from 'express-bits-upload/client'
import { tlsFault } from '../../lib/client/transport/tls-fault.js'
import { Authority } from '../support/certificates.js'
import { fixtures } from '../support/fixtures.js'
import { clientError, withFile } from '../support/upload-fixture.js'

const { startTls, directory } = fixtures()

describe('a server that requires a certificate', () => {
  test.each<[SecureVersion, RegExp]>([
    ['TLSv1.3', /: tlsv13 alert certificate required\./],
    ['TLSv1.2', /: (?:sslv3|ssl\/tls) alert handshake failure\./],
  ])('of %s refuses a client without one immediately', async (maxVersion, message) => {
    const authority = await Authority.create(await directory())
    const own = await authority.issue('server')
    const mine = await authority.issue('alice')
    const ca = authority.own.cert
    const tls = { key: own.key, cert: own.cert, ca, requestCert: true, maxVersion }
    const port = await startTls(tls, await directory())
    await withFile(10, async ({ path }) => {
      const url = `https://127.0.0.1:${port}/uploads/a.bin`
      const error = await clientError(uploadFile(path, url, { tls: { ca } }))
      expect(error).toMatchObject({ fatal: true, packet: 'Create-Session', status: undefined })
      expect(error.message).toMatch(message)
      expect(error.message).toMatch(
        /\. It may want a certificate that it trusts: pass one in `tls`, as `cert` and `key`\.$/,
      )
      await uploadFile(path, url, { tls: { ca, cert: mine.cert, key: mine.key } })
    })
  })
})

test.each([
  ['tlsv1 alert unknown ca', 48, true],
  ['sslv3 alert bad certificate', 42, true],
  ['tlsv1 alert protocol version', 70, true],
  ['tlsv1 alert internal error', 80, false],
  ['sslv3 alert bad record mac', 20, false],
])('is "%s" (%d) permanent? %s', (why, number, stays) => {
  const message = `80:error:0A:SSL routines:ssl3_read_bytes:${why}:../deps/rec.c:1601:SSL alert number ${number}\n`
  expect(tlsFault('EPROTO', message)?.why).toBe(stays ? why : undefined)
})
