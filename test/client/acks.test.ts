import { describe, expect, test } from '@jest/globals'
import { uploadFile } from 'express-bits-upload/client'
import { parseHresult } from '../../lib/uploader/refusal.js'
import { ack, created, faulty, refuse, SESSION_ID, wellBehaved } from '../support/scripted-server.js'
import { clientError, FAST, withFile, withServer } from '../support/upload-fixture.js'

const upload = (script: Parameters<typeof withServer>[0], options = FAST) =>
  withFile(10, ({ path }) =>
    withServer(script, async (server) => ({
      outcome: await uploadFile(path, server.url(), options).catch((error: unknown) => error),
      asked: server.asked,
    })),
  )

describe('an Ack', () => {
  test('of Create-Session may be 201', async () => {
    const { outcome } = await upload(faulty('Create-Session', { ...created(), status: 201 }))
    expect(outcome).toEqual({ sessionId: SESSION_ID, bytes: 10 })
  })

  test('may have its type in any case', async () => {
    const { asked } = await upload(faulty('Create-Session', created({ 'BITS-Packet-Type': 'ACK' })))
    expect(asked).toHaveLength(3)
  })

  test('may have a session id of any form, up to 100 characters', async () => {
    const id = `-1234567890 ${'x'.repeat(88)}`
    const { outcome } = await upload(faulty('Create-Session', created({ 'BITS-Session-Id': id })))
    expect(outcome).toMatchObject({ sessionId: id })
  })

  test('of Create-Session needs neither BITS-Protocol nor Accept-Encoding', async () => {
    const { outcome } = await upload(faulty('Create-Session', ack({ 'BITS-Session-Id': 'a' })))
    expect(outcome).toMatchObject({ sessionId: 'a' })
  })

  test('of Ping may have an error code with its 200', async () => {
    let dropped = false
    const { asked } = await upload((request) => {
      const type = request.headers['bits-packet-type']
      if (type === 'Ping') return ack({ 'BITS-Error-Code': 1, 'BITS-Error-Context': '' })
      if (type !== 'Fragment' || dropped) return wellBehaved(request)
      dropped = true
      return 'drop'
    })
    expect(asked.slice(-3)).toEqual(['Ping', 'Fragment bytes 0-9/10', 'Close-Session'])
  })

  test.each([
    ['has another packet type', 'Create-Session', created({ 'BITS-Packet-Type': 'Nack' })],
    ['is any web page', 'Create-Session', { body: '<html>', headers: { 'Content-Length': 6 } }],
    ['names no session', 'Create-Session', ack()],
    [
      'names a session with 101 characters',
      'Create-Session',
      created({ 'BITS-Session-Id': 'x'.repeat(101) }),
    ],
    ['names no offset', 'Fragment', ack()],
    ['names no offset with 416', 'Fragment', ack({}, 416)],
    ['names a range for an offset', 'Fragment', ack({ 'BITS-Received-Content-Range': '0-9' })],
    ['of Close-Session is none', 'Close-Session', { status: 200 }],
  ])('that %s is ignored, and the packet sent again', async (_, type, reply) => {
    const { outcome, asked } = await upload(faulty(type, reply))
    expect(outcome).toEqual({ sessionId: SESSION_ID, bytes: 10 })
    expect(asked.filter((packet) => packet.startsWith(type))).toHaveLength(2)
  })

  test('that chooses a protocol the client did not offer is fatal', async () => {
    const other = created({ 'BITS-Protocol': '{00000000-249b-430f-820d-3d2a9bef4931}' })
    const { outcome, asked } = await upload(faulty('Create-Session', other))
    expect(outcome).toMatchObject({ fatal: true, hresultName: 'BG_E_CLIENT_SERVER_PROTOCOL_MISMATCH' })
    expect(asked).toHaveLength(1)
  })

  test('may write the protocol in upper case without braces', async () => {
    const shouted = created({ 'BITS-Protocol': '7DF0354D-249B-430F-820D-3D2A9BEF4931' })
    const { asked } = await upload(faulty('Create-Session', shouted))
    expect(asked).toHaveLength(3)
  })
})

describe('an error', () => {
  const failWith = (reply: ReturnType<typeof ack>) =>
    withFile(10, ({ path }) =>
      withServer(faulty('Create-Session', reply), (server) =>
        clientError(uploadFile(path, server.url(), { retries: 0 })),
      ),
    )

  test('carries status, HRESULT with its name, context and packet', async () => {
    const error = await failWith(refuse(403, '0x80070005'))
    expect(error).toMatchObject({
      status: 403,
      hresult: 0x80070005,
      hresultName: 'E_ACCESSDENIED',
      context: 'server',
      packet: 'Create-Session',
      fatal: true,
    })
    expect(error.message).toBe(
      'The server answered Create-Session with 403, 0x80070005 (E_ACCESSDENIED). ' +
        'A file of this name may exist already, or this path may not be allowed.',
    )
  })

  test('shows that the server application failed', async () => {
    const error = await failWith(refuse(500, '0x80004005', '0x7'))
    expect(error).toMatchObject({ context: 'server application', hresultName: 'E_FAIL', fatal: false })
  })

  test('with a bare status has the HRESULT that Windows derives', async () => {
    const error = await failWith({ status: 404, body: 'Not Found' })
    expect(error).toMatchObject({
      hresult: 0x80190194,
      hresultName: 'BG_E_HTTP_ERROR_404',
      context: undefined,
    })
  })

  test('is read from BITS-Error-Code first, then from BITS-Error', async () => {
    const both = ack({ 'BITS-Error': '0x80004005', 'BITS-Error-Code': '0x80070003' }, 404)
    expect((await failWith(both)).hresult).toBe(0x80070003)
    expect((await failWith(ack({ 'BITS-Error': 'x80004005' }, 404))).hresult).toBe(0x80004005)
  })

  test('401 says what to do', async () => {
    const error = await failWith(refuse(401))
    expect(error).toMatchObject({ status: 401, fatal: true })
    expect(error.message).toMatch(/asks for credentials: pass them in `headers` or in the URL\.$/)
  })
})

test.each([
  ['0x80070057', 0x80070057],
  ['0X8020001f', 0x8020001f],
  ['8020001f', 0x8020001f],
  ['x80070057', 0x80070057],
  ['0', 0],
  ['', undefined],
  ['0x123456789', undefined],
  ['nonsense', undefined],
])('HRESULT %j is read as %j', (text, expected) => {
  expect(parseHresult(text)).toBe(expected)
})
