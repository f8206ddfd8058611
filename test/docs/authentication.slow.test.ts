import { createServer } from 'node:http'
import { describe, expect, test } from '@jest/globals'
import { exportJWK, generateKeyPair, SignJWT } from 'jose'
import { Authority } from '../support/certificates.js'
import { fixtures } from '../support/fixtures.js'
import { fragment, PROTOCOL, packet } from '../support/raw.js'
import { block } from './blocks.js'
import { FILE, useTempProject } from './use-temp-project.js'

const PAGE = 'docs/authentication.md'
const temp = useTempProject()
const { connect, afterwards } = fixtures()

const basic = (user: string): Record<string, string> => ({
  Authorization: `Basic ${Buffer.from(user).toString('base64')}`,
})

test('user name and password: challenges, and limits each user to their own directory', async () => {
  const server = await temp.project.serve(block('js', { in: `${PAGE}#User name and password` }))
  await expect(temp.upload(server, 'alice/a.zip')).rejects.toMatchObject({ status: 401 })
  for (const wrong of ['alice:wrong', 'bob:', 'bob:correct horse']) {
    await expect(temp.upload(server, 'alice/a.zip', basic(wrong))).rejects.toMatchObject({ status: 401 })
  }
  await temp.upload(server, 'alice/a.zip', basic('alice:correct horse'))
  expect(await temp.read('uploads/alice/a.zip')).toEqual(FILE)
  const elsewhere = temp.upload(server, 'bob/a.zip', basic('alice:correct horse'))
  await expect(elsewhere).rejects.toMatchObject({ status: 403 })
  const ack = await (await connect(server)).exchange(packet('Ping', '/uploads/'))
  expect(ack.header('WWW-Authenticate')).toBe('Basic realm="uploads"')
})

describe('tokens', () => {
  /** An issuer that publishes its key as OpenID Connect does. */
  async function issuer() {
    const { publicKey, privateKey } = await generateKeyPair('RS256')
    const jwk = { ...(await exportJWK(publicKey)), kid: '1', alg: 'RS256', use: 'sig' }
    const server = createServer((req, res) => {
      const keys = req.url === '/keys'
      res.setHeader('Content-Type', 'application/json')
      res.end(JSON.stringify(keys ? { keys: [jwk] } : { issuer: origin, jwks_uri: `${origin}keys` }))
    })
    await new Promise<void>((listening) => server.listen(0, '127.0.0.1', listening))
    afterwards(() => void server.close())
    const address = server.address()
    const origin = `http://127.0.0.1:${typeof address === 'object' ? address?.port : ''}/`
    const token = async (audience: string) => ({
      Authorization: `Bearer ${await new SignJWT({ sub: 'alice' })
        .setProtectedHeader({ alg: 'RS256', kid: '1' })
        .setIssuer(origin)
        .setAudience(audience)
        .setIssuedAt()
        .setExpirationTime('5m')
        .sign(privateKey)}`,
    })
    return { origin, token }
  }

  test('middleware in front accepts only tokens for its audience', async () => {
    const { origin, token } = await issuer()
    const server = await temp.project.serve(block('js', { in: `${PAGE}#Tokens` }), { ISSUER: origin })
    await temp.upload(server, 'a.zip', await token('uploads'))
    expect(await temp.read('uploads/a.zip')).toEqual(FILE)
    const wrong = temp.upload(server, 'b.zip', await token('something else'))
    await expect(wrong).rejects.toMatchObject({ status: 401 })
    await expect(temp.upload(server, 'b.zip')).rejects.toMatchObject({ status: 401 })
  })

  test('inside authorize: packets of an active session need no token', async () => {
    const { origin, token } = await issuer()
    const found = block('js', { in: `${PAGE}#Clients that authenticate once`, containing: 'jwt-bearer' })
    const server = await temp.project.serve(found, { ISSUER: origin })
    const connection = await connect(server)
    const create = async (headers: Record<string, string>) =>
      connection.exchange(
        packet('Create-Session', '/uploads/a.zip', {
          'BITS-Supported-Protocols': PROTOCOL,
          ...headers,
        }),
      )
    const refused = await create({})
    expect([refused.status, refused.header('WWW-Authenticate')]).toEqual([
      401,
      expect.stringMatching(/^Bearer/),
    ])
    const created = await create(await token('uploads'))
    const id = created.header('BITS-Session-Id') ?? ''
    expect((await connection.exchange(fragment('/uploads/a.zip', id, FILE))).status).toBe(200)
    expect(await temp.read('uploads/a.zip')).toEqual(FILE)
  })
})

test('client certificates: accepts those of its authority, and no connection without one', async () => {
  const authority = await Authority.create(temp.project.cwd, 'clients')
  await authority.issue('server')
  const alice = await authority.issue('alice')
  const server = await temp.project.serve(block('js', { in: `${PAGE}#Client certificates` }))
  const origin = server.origin.replace('http:', 'https:')
  const tls = { ca: authority.own.cert }
  await temp.upload({ origin }, 'a.zip', {}, { tls: { ...tls, cert: alice.cert, key: alice.key } })
  expect(await temp.read('uploads/a.zip')).toEqual(FILE)
  await expect(temp.upload({ origin }, 'b.zip', {}, { tls })).rejects.toMatchObject({ status: undefined })
})

test('clients that authenticate once: credentials are needed for Create-Session only', async () => {
  const found = block('js', { in: `${PAGE}#Clients that authenticate once`, containing: 'basic-auth' })
  const server = await temp.project.serve(found)
  const connection = await connect(server)
  const path = '/uploads/alice/a.zip'
  const create = (headers: Record<string, string>, at = path) =>
    connection.exchange(
      packet('Create-Session', at, {
        'BITS-Supported-Protocols': PROTOCOL,
        ...headers,
      }),
    )
  const refused = await create({})
  expect([refused.status, refused.header('WWW-Authenticate')]).toEqual([401, 'Basic realm="uploads"'])
  expect((await create(basic('alice:correct horse'), '/uploads/bob/a.zip')).status).toBe(403)
  const created = await create(basic('alice:correct horse'))
  const id = created.header('BITS-Session-Id') ?? ''
  expect((await connection.exchange(fragment(path, id, FILE))).status).toBe(200)
  expect(await temp.read('uploads/alice/a.zip')).toEqual(FILE)
})
