import { once } from 'node:events'
import { readFile } from 'node:fs/promises'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals'
import { uploadFile } from 'express-bits-upload/client'
import { auth } from 'express-oauth2-jwt-bearer'
import { exportJWK, generateKeyPair, SignJWT } from 'jose'
import { fixtures } from '../support/fixtures.js'
import { createSession } from '../support/raw.js'
import { clientError, FAST, withFile } from '../support/upload-fixture.js'

const { start, connect, directory } = fixtures()

const AUDIENCE = 'https://files.example.com/uploads'
const ISSUER = 'https://login.example.com/'
const keys = await generateKeyPair('RS256')
const otherKeys = await generateKeyPair('RS256')

/** A fake issuer of tokens, which publishes its public key. */
const issuer = createServer((_req, res) => {
  void exportJWK(keys.publicKey).then((key) => {
    res.setHeader('Content-Type', 'application/json')
    res.end(JSON.stringify({ keys: [{ ...key, kid: 'one', alg: 'RS256', use: 'sig' }] }))
  })
})
let jwksUri = ''

beforeAll(async () => {
  issuer.listen(0, '127.0.0.1')
  await once(issuer, 'listening')
  jwksUri = `http://127.0.0.1:${(issuer.address() as AddressInfo).port}/keys`
})
afterAll(() => {
  issuer.close()
  issuer.closeAllConnections()
})

const token = ({ audience = AUDIENCE, expires = '5m', key = keys.privateKey } = {}) =>
  new SignJWT({ scope: 'upload' })
    .setProtectedHeader({ alg: 'RS256', kid: 'one' })
    .setIssuer(ISSUER)
    .setSubject('machine-7')
    .setAudience(audience)
    .setIssuedAt()
    .setExpirationTime(expires)
    .sign(key)

/** Runs before `bitsUpload()`: admits clients with a token (package `express-oauth2-jwt-bearer`). */
const serve = async () => {
  const folder = await directory()
  const requireToken = auth({
    issuer: ISSUER,
    audience: AUDIENCE,
    jwksUri,
    tokenSigningAlg: 'RS256',
    dpop: { enabled: false },
  })
  const running = await start(
    { directory: folder, user: (req) => req.auth?.payload.sub },
    { before: (app) => app.set('env', 'test').use('/uploads', requireToken) },
  )
  return { folder, ...running }
}

const upload = (origin: string, bearer: string, path: string) =>
  uploadFile(path, `${origin}/uploads/a.bin`, { ...FAST, headers: { Authorization: `Bearer ${bearer}` } })

describe('a bearer token before bitsUpload()', () => {
  test('accepts an upload, and identifies its user', async () => {
    const { folder, origin, bits } = await serve()
    const users: (string | undefined)[] = []
    bits.on('session', ({ user }) => users.push(user))
    await withFile(20_000, async ({ path, content }) => {
      await upload(origin, await token(), path)
      expect((await readFile(join(folder, 'a.bin'))).equals(content)).toBe(true)
    })
    expect(users).toEqual(['machine-7'])
  })

  test.each([
    ['that has expired', () => token({ expires: '-1m' })],
    ['for another audience', () => token({ audience: 'https://other.example.com/' })],
    ['signed by another issuer', () => token({ key: otherKeys.privateKey })],
    ['that is none', async () => 'abc'],
  ])('refuses one %s', async (_, make) => {
    const { folder, origin } = await serve()
    const bearer = await make()
    await withFile(10, async ({ path }) => {
      expect(await clientError(upload(origin, bearer, path))).toMatchObject({ status: 401, fatal: true })
    })
    await expect(readFile(join(folder, 'a.bin'))).rejects.toThrow('ENOENT')
  })

  test('challenges a client without a token', async () => {
    const connection = await connect(await serve())
    const refused = await connection.exchange(createSession('/uploads/a.bin'))
    expect([refused.status, refused.header('WWW-Authenticate')]).toEqual([401, 'Bearer realm="api"'])
  })
})
