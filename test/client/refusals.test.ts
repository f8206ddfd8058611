import { once } from 'node:events'
import { createServer as createHttpServer } from 'node:http'
import { createServer as createHttpsServer, type ServerOptions } from 'node:https'
import type { AddressInfo } from 'node:net'
import { describe, expect, test } from '@jest/globals'
import { type UploadFailure, uploadFile } from 'express-bits-upload/client'
import { Authority } from '../support/certificates.js'
import { fixtures } from '../support/fixtures.js'
import { type Answer, faulty, refuse } from '../support/scripted-server.js'
import { clientError, FAST, withFile, withServer } from '../support/upload-fixture.js'

const { afterwards, directory } = fixtures()

/** The error of an upload to a server that always responds in this way to packets of this type. */
const errorAfter = (answer: Answer, type = 'Create-Session', headers: Record<string, string> = {}) =>
  withFile(10, ({ path }) =>
    withServer(faulty(type, ...Array(20).fill(answer)), (server) =>
      clientError(uploadFile(path, server.url(), { ...FAST, headers })),
    ),
  )

describe('a response from a server that does not speak BITS', () => {
  test.each([400, 404, 405, 501])('is reported as such (%d)', async (status) => {
    const error = await errorAfter({ status, body: '<html>' })
    expect(error).toMatchObject({ status, fatal: true })
    expect(error.message).toMatch(
      /\. Nothing at this URL speaks BITS \(the response has no BITS-Packet-Type\): /,
    )
    const later = await errorAfter({ status, body: '<html>' }, 'Fragment')
    expect(later.message).toMatch(
      /\. The response has no BITS-Packet-Type: it does not come from a BITS server\.$/,
    )
  })

  test('is not suspected if the status has another meaning or the response is an Ack', async () => {
    const unavailable = await errorAfter({ status: 503, body: 'later' })
    expect(unavailable).toMatchObject({ status: 503, fatal: false })
    for (const error of [unavailable, await errorAfter(refuse(404, '0x80070003'))]) {
      expect(error.message).not.toContain('BITS-Packet-Type')
    }
  })
})

describe('a redirect is fatal and names the location without secrets', () => {
  test.each([
    [301, 'https://files.example.com/a/b.bin?token=secret', 'https://files.example.com/a/b.bin'],
    [302, '/other/', /http:\/\/127\.0\.0\.1:\d+\/other\//],
    [307, 'https://user:secret@host/x', 'https://host/x'],
    [308, '//host/\u0085', 'host/%C2%85'],
  ])('%d to %s', async (status, location, place) => {
    const error = await errorAfter({ status, headers: { Location: location } })
    expect(error).toMatchObject({ status, fatal: true })
    expect(error.message).toMatch(place)
    expect(error.message).toMatch(/It redirects to \S+: upload to that URL if it is the right one\.$/)
    expect(error.message).not.toContain('secret')
  })

  test.each([undefined, 'javascript:alert(1)', 'http://[/'])(
    'with a Location of %s it is refused without a hint',
    async (location) => {
      const error = await errorAfter({ status: 302, headers: location ? { Location: location } : {} })
      expect(error.message).toMatch(/with 302, 0x8019012E \(BG_E_HTTP_ERROR_302\)\.$/)
    },
  )
})

describe('a 401', () => {
  const challenge = (value: string): Answer => ({ ...refuse(401), headers: { 'WWW-Authenticate': value } })

  test('without credentials asks for them', async () => {
    const error = await errorAfter(challenge('Basic realm="Negotiate, a b", Bearer'))
    expect(error.message).toMatch(/ It asks for credentials: pass them in `headers` or in the URL\.$/)
  })

  test('names the schemes if the client supports none of them', async () => {
    const error = await errorAfter(challenge('Negotiate, NTLM, Digest realm="a", nonce="b"'))
    expect(error.message).toMatch(/ It asks for credentials \(Negotiate, NTLM, Digest\): /)
  })

  test('with credentials says that they are not accepted', async () => {
    const error = await errorAfter(challenge('Basic'), 'Create-Session', { authorization: 'Basic eDp5' })
    expect(error.message).toMatch(/ It does not accept these credentials: /)
    expect(error.message).not.toContain('eDp5')
  })
})

test('a 407 is about the proxy', async () => {
  const error = await errorAfter({ status: 407 })
  expect(error).toMatchObject({ fatal: true })
  expect(error.message).toMatch(/ The proxy asks for other credentials: pass them to the `agent`\.$/)
})

describe('the wrong scheme', () => {
  async function listen(tls?: ServerOptions): Promise<number> {
    const server = tls ? createHttpsServer(tls) : createHttpServer()
    server.listen(0, '127.0.0.1')
    await once(server, 'listening')
    afterwards(() => void server.close())
    return (server.address() as AddressInfo).port
  }

  async function upload(url: string) {
    const failures: UploadFailure[] = []
    const onFailure = (failure: UploadFailure) => failures.push(failure)
    const error = await withFile(10, ({ path }) => clientError(uploadFile(path, url, { ...FAST, onFailure })))
    return { error, tries: failures.length }
  }

  test('http: to a port that speaks TLS is recognized, and not tried again', async () => {
    const { key, cert } = await (await Authority.create(await directory())).issue('server')
    const { error, tries } = await upload(`http://127.0.0.1:${await listen({ key, cert })}/a`)
    expect(error).toMatchObject({ fatal: true, packet: 'Create-Session' })
    expect(error.message).toMatch(/this port speaks TLS\. Use https: in the URL\.$/)
    expect(tries).toBe(1)
  })

  test('https: to a port that does not speak TLS is recognized, and not tried again', async () => {
    const { error, tries } = await upload(`https://127.0.0.1:${await listen()}/a`)
    expect(error).toMatchObject({ fatal: true, packet: 'Create-Session' })
    expect(error.message).toMatch(
      /: this port does not speak TLS\. Use http: in the URL, or the port for https:\.$/,
    )
    expect(tries).toBe(1)
  })

  test('a server that hangs up without speaking TLS is tried again', async () => {
    await withFile(10, ({ path }) =>
      withServer(faulty('Create-Session', 'drop'), async (server) => {
        await uploadFile(path, server.url(), FAST)
        expect(server.asked.slice(0, 2)).toEqual(['Create-Session', 'Create-Session'])
      }),
    )
  })

  test('an error for a certificate of an unknown authority, or an expired one, includes advice', async () => {
    const authority = await Authority.create(await directory())
    const { key, cert } = await authority.issue('server')
    const unknown = await upload(`https://127.0.0.1:${await listen({ key, cert })}/a`)
    expect(unknown.error).toMatchObject({ fatal: true })
    expect(unknown.error.message).toMatch(
      /\. This machine does not trust the server's certificate: pass the certificate of the server's authority in `tls`, as `ca`\.$/,
    )
    expect(unknown.tries).toBe(1)
  })
})
