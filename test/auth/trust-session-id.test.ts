import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, test } from '@jest/globals'
import basicAuth from 'basic-auth'
import type { Request } from 'express'
import { BitsError } from 'express-bits-upload'
import { fixtures } from '../support/fixtures.js'
import { cancelSession, closeSession, createSession, fragment, PROTOCOL, packet } from '../support/raw.js'

const { start, connect, directory } = fixtures()

/** For the option `user`. Unlike preceding middleware, it can be skipped for packets of a session. */
function identifyUser(req: Request): string {
  const credentials = basicAuth(req)
  if (credentials?.name === 'alice' && credentials.pass === 'secret') return 'alice'
  const headers = { 'WWW-Authenticate': 'Basic realm="uploads"' }
  throw new BitsError({ status: 401, headers }, 'Wrong name or password, or none.')
}

const PATH = '/uploads/a.bin'
const FILE = Buffer.from('hello')

/** A session of alice, who does not send her password again. */
async function begin(trustSessionId: boolean) {
  const folder = await directory()
  const running = await start({
    directory: folder,
    user: identifyUser,
    trustSessionId,
    onUpload: () => 'a reply',
  })
  const connection = await connect(running)
  const anonymous = await connection.exchange(createSession(PATH))
  expect([anonymous.status, anonymous.header('WWW-Authenticate')]).toEqual([401, 'Basic realm="uploads"'])
  const Authorization = `Basic ${btoa('alice:secret')}`
  const created = await connection.exchange(
    packet('Create-Session', PATH, { 'BITS-Supported-Protocols': PROTOCOL, Authorization }),
  )
  expect(created.status).toBe(200)
  return { ...running, folder, connection, id: created.header('BITS-Session-Id') ?? '' }
}

describe('a client that authenticates only at Create-Session', () => {
  test('is accepted by its session id with trustSessionId', async () => {
    const { connection, id, folder, bits, origin } = await begin(true)
    const [session] = await bits.sessions()
    expect(session?.user).toBe('alice')
    const last = await connection.exchange(fragment(PATH, id, FILE))
    expect(last.status).toBe(200)
    expect(await readFile(join(folder, 'a.bin'), 'utf8')).toBe('hello')
    const replyUrl = last.header('BITS-Reply-URL')?.replaceAll('\\', '/') ?? ''
    const reply = await fetch(new URL(replyUrl, `${origin}${PATH}`))
    expect(await reply.text()).toBe('a reply')
    expect((await connection.exchange(closeSession(PATH, id))).status).toBe(200)
  })

  test('may cancel, and so may anyone who knows the id: the documented risk', async () => {
    const { id, bits, port } = await begin(true)
    const otherClient = await connect({ port })
    expect((await otherClient.exchange(cancelSession(PATH, id))).status).toBe(200)
    expect(await bits.sessions()).toEqual([])
  })

  test('is refused with an unknown id, or for another file', async () => {
    const { connection, id, folder } = await begin(true)
    const guess = '{11111111-2222-3333-4444-555555555555}'
    expect((await connection.exchange(fragment(PATH, guess, FILE))).status).toBe(401)
    expect((await connection.exchange(fragment('/uploads/b.bin', id, FILE))).status).toBe(401)
    await expect(readFile(join(folder, 'b.bin'))).rejects.toThrow('ENOENT')
  })

  test('must authenticate each time without trustSessionId', async () => {
    const { connection, id, folder } = await begin(false)
    expect((await connection.exchange(fragment(PATH, id, FILE))).status).toBe(401)
    expect((await connection.exchange(closeSession(PATH, id))).status).toBe(401)
    expect((await connection.exchange(cancelSession(PATH, id))).status).toBe(401)
    await expect(readFile(join(folder, 'a.bin'))).rejects.toThrow('ENOENT')
  })
})
