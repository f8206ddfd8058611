import { once } from 'node:events'
import { readFile } from 'node:fs/promises'
import { createServer } from 'node:https'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { TLSSocket } from 'node:tls'
import { describe, expect, test } from '@jest/globals'
import express, { type Request, type RequestHandler } from 'express'
import { bitsUpload } from 'express-bits-upload'
import { uploadFile } from 'express-bits-upload/client'
import { Authority, type Certificate } from '../support/certificates.js'
import { fixtures } from '../support/fixtures.js'
import { RecordingLogger } from '../support/serve.js'
import { clientError, FAST, withFile } from '../support/upload-fixture.js'

const { directory, afterwards } = fixtures()

/** Runs before `bitsUpload()`: admits clients with a certificate of our authority (Node's own TLS). */
const requireCertificate: RequestHandler = (req, res, next) => {
  if (req.socket instanceof TLSSocket && req.socket.authorized) return next()
  res.sendStatus(403)
}

/** For the option `user`: the name in the certificate. */
function nameInCertificate(req: Request): string | undefined {
  const name = req.socket instanceof TLSSocket ? req.socket.getPeerCertificate().subject.CN : undefined
  return typeof name === 'string' ? name : name?.join(' ')
}

async function serve(authority: Authority, certificate: Certificate) {
  const folder = await directory()
  const bits = bitsUpload({ directory: folder, user: nameInCertificate, logger: new RecordingLogger() })
  const app = express()
  app.use('/uploads', requireCertificate, bits)
  const server = createServer(
    {
      cert: certificate.cert,
      key: certificate.key,
      ca: authority.own.cert,
      requestCert: true,
      // The middleware rejects clients without a valid certificate; the handshake itself succeeds.
      rejectUnauthorized: false,
    },
    app,
  )
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  afterwards(async () => {
    server.close()
    server.closeAllConnections()
    await bits.close()
  })
  return { folder, bits, url: `https://127.0.0.1:${(server.address() as AddressInfo).port}/uploads/a.bin` }
}

describe('a client certificate before bitsUpload()', () => {
  test('accepts an upload over TLS, and identifies its user', async () => {
    const place = await directory()
    const authority = await Authority.create(place)
    const client = await authority.issue('machine-7')
    const { folder, bits, url } = await serve(authority, await authority.issue('server'))
    const users: (string | undefined)[] = []
    bits.on('session', ({ user }) => users.push(user))
    await withFile(20_000, async ({ path, content }) => {
      const tls = {
        ca: authority.own.cert,
        cert: client.cert,
        key: client.key,
        ciphers: undefined,
        checkServerIdentity: undefined,
      }
      await uploadFile(path, url, { tls })
      expect((await readFile(join(folder, 'a.bin'))).equals(content)).toBe(true)
    })
    expect(users).toEqual(['machine-7'])
  })

  test('is requested', async () => {
    const place = await directory()
    const authority = await Authority.create(place)
    const stranger = await (await Authority.create(place, 'stranger')).issue('machine-8')
    const { folder, url } = await serve(authority, await authority.issue('server'))
    const ca = authority.own.cert
    await withFile(10, async ({ path }) => {
      for (const tls of [{ ca }, { ca, cert: stranger.cert, key: stranger.key }]) {
        expect(await clientError(uploadFile(path, url, { ...FAST, tls }))).toMatchObject({
          status: 403,
          fatal: true,
        })
      }
    })
    await expect(readFile(join(folder, 'a.bin'))).rejects.toThrow('ENOENT')
  })
})
