import { execFile } from 'node:child_process'
import { appendFile, readFile, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { describe, expect, test } from '@jest/globals'
import { uploadFile } from 'express-bits-upload/client'
import { HtpasswdFile } from '../../lib/cli/serve/passwords/htpasswd-file.js'
import { matchesHash } from '../../lib/cli/serve/passwords/password-hash.js'
import { fixtures } from '../support/fixtures.js'
import { createSession, fragment, PROTOCOL, packet } from '../support/raw.js'
import { clientError, FAST, withFile } from '../support/upload-fixture.js'
import { Server } from './command.js'

const { directory, connect, afterwards } = fixtures()
const PASSWORD = 'pässwörd €'

/** Written by htpasswd of Apache 2.4 for {@link PASSWORD}. */
const LINES = {
  'bcrypt (-B)': '$2y$05$DNoAuSiaKq57p9e/AXsF9uLcjPZXSdYxRZT1bu/k2lWiSnWdxNM/K',
  'bcrypt with more rounds (-C 10)': '$2y$10$mMG5hPS1499/FkiuCyzrauFmrjwH/8wtfcvBaCxIxrzMet1qjtC1e',
  'MD5 (-m)': '$apr1$bMEevRs2$0vu3k9lKPhKcufnKkTjNR/',
  'SHA-1 (-s)': '{SHA}WLrsXwWKD/4HtaIdI5GNgo9kV0k=',
  'crypt (-d)': '/j0GBQnlGca.s',
}

async function fileWith(content: string): Promise<string> {
  const path = join(await directory(), 'htpasswd')
  await writeFile(path, content)
  return path
}

async function isRight(users: HtpasswdFile, name: string, password: string): Promise<boolean> {
  const { hash, isKnown } = await users.hashOf(name)
  return matchesHash(hash, password) && isKnown
}

describe('an htpasswd file', () => {
  test.each(Object.entries(LINES))('accepts passwords by %s', async (_, hash) => {
    const users = await HtpasswdFile.open(await fileWith(`# users\r\n\r\nbob:${hash}\r\nalice:${hash}\r\n`))
    expect(await isRight(users, 'alice', PASSWORD)).toBe(true)
    expect(await isRight(users, 'alice', 'password')).toBe(false)
    expect(await isRight(users, 'alice', '')).toBe(false)
    expect(await isRight(users, 'Alice', PASSWORD)).toBe(false)
    expect(await isRight(users, 'mallory', PASSWORD)).toBe(false)
    expect(await isRight(users, '# users', PASSWORD)).toBe(false)
  })

  test('accepts what openssl writes', async () => {
    const { stdout } = await promisify(execFile)('openssl', ['passwd', '-apr1', PASSWORD])
    const users = await HtpasswdFile.open(await fileWith(`alice:${stdout}`))
    expect(await isRight(users, 'alice', PASSWORD)).toBe(true)
    expect(await isRight(users, 'alice', `${PASSWORD} `)).toBe(false)
  })

  test('is read again when it changes', async () => {
    const path = await fileWith(`alice:${LINES['SHA-1 (-s)']}\n`)
    const users = await HtpasswdFile.open(path)
    expect(await isRight(users, 'alice', PASSWORD)).toBe(true)
    await appendFile(path, `bob:${LINES['bcrypt (-B)']}\n`)
    expect(await isRight(users, 'bob', PASSWORD)).toBe(true)
    await writeFile(path, `bob:${LINES['bcrypt (-B)']}\n`)
    expect(await isRight(users, 'alice', PASSWORD)).toBe(false)
    await rm(path)
    await expect(users.hashOf('bob')).rejects.toThrow(/--htpasswd .*ENOENT/)
    await writeFile(path, `bob:${LINES['bcrypt (-B)']}\n`)
    expect(await isRight(users, 'bob', PASSWORD)).toBe(true)
  })

  test('checks an unknown name against the hash of a known one, so that both take equally long', async () => {
    const users = await HtpasswdFile.open(await fileWith(`alice:${LINES['bcrypt (-B)']}\n`))
    expect(await users.hashOf('mallory')).toEqual({ hash: LINES['bcrypt (-B)'], isKnown: false })
  })

  test.each([
    ['a password in plain text', 'alice:secret'],
    ['a hash of another kind', 'alice:$5$yfmFzV7KZYd.4OhM$RZAp9VM5de22B7Bo.H89bnjmxqdw1w9lw7EkOIOA/J7'],
    ['no name', `:${LINES['SHA-1 (-s)']}`],
    ['no hash', 'alice'],
  ])('is refused with %s, without showing its content', async (_, line) => {
    const opening = HtpasswdFile.open(await fileWith(`bob:${LINES['SHA-1 (-s)']}\n${line}\n`))
    await expect(opening).rejects.toMatchObject({
      exitCode: 2,
      message: expect.stringMatching(
        /^--htpasswd \/[^ ]+: line 2 is not a name with .* hash\. Write it with .*"\.$/,
      ),
    })
  })
})

describe('serve --htpasswd', () => {
  async function start(flags: readonly string[] = []) {
    const folder = await directory()
    const users = await fileWith(`alice:${LINES['bcrypt (-B)']}\nbob:${LINES['MD5 (-m)']}\n`)
    const server = await Server.start(folder, ['--htpasswd', users, '--list', '--live', ...flags])
    afterwards(() => server.kill('SIGKILL'))
    return { folder, users, server }
  }
  const basic = (name: string, password = PASSWORD) => ({
    Authorization: `Basic ${Buffer.from(`${name}:${password}`).toString('base64')}`,
  })
  const urlFor = ({ origin }: Server, name: string) =>
    `${origin.replace('//', `//${name}:${encodeURIComponent(PASSWORD)}@`)}/a.bin`

  test('gives users with a password access to everything, and never shows the password', async () => {
    const { folder, users, server } = await start(['--realm', 'The "drop"'])
    const challenge = 'Basic realm="The \\"drop\\"", charset="UTF-8"'
    const connection = await connect(server)
    const refused = await connection.exchange(createSession('/a.bin'))
    expect([refused.status, refused.header('WWW-Authenticate')]).toEqual([401, challenge])
    expect(refused.header('BITS-Error-Code')).toBe('0x80190191')
    expect((await connection.exchange(packet('Ping', '/'))).status).toBe(401)
    for (const path of ['/', '/a.bin', '/live/', '/live/events', '/nothing']) {
      const answer = await fetch(server.origin + path, { headers: basic('alice', 'wrong') })
      expect([path, answer.status, answer.headers.get('www-authenticate')]).toEqual([path, 401, challenge])
    }
    await withFile(20_000, async ({ path, content }) => {
      await uploadFile(path, urlFor(server, 'alice'), FAST)
      expect((await readFile(join(folder, 'a.bin'))).equals(content)).toBe(true)
    })
    expect((await fetch(`${server.origin}/`, { headers: basic('bob') })).status).toBe(200)

    await writeFile(users, 'alice:plain\n')
    const unsure = await fetch(`${server.origin}/`, { headers: basic('alice') })
    expect(unsure.status).toBe(503)
    expect(await server.stop()).toBe(0)
    expect(server.stdout).toMatch(/^127\.0\.0\.1 - - \[[^\]]+\] "BITS_POST \/a\.bin HTTP\/1\.1" 401 0$/m)
    expect(server.stdout).toMatch(/^127\.0\.0\.1 - alice \[[^\]]+\] "BITS_POST \/a\.bin HTTP\/1\.1" 200 0$/m)
    expect(server.stdout).not.toMatch(/alice.* 401/)
    const said = server.stdout + server.stderr
    for (const secret of [
      PASSWORD,
      basic('alice').Authorization.slice(6),
      encodeURIComponent(PASSWORD),
      'plain\n',
    ]) {
      expect(said).not.toContain(secret)
    }
  })

  test('keeps the sessions of users apart', async () => {
    const { server } = await start()
    const connection = await connect(server)
    const create = await connection.exchange(
      packet('Create-Session', '/a.bin', { 'BITS-Supported-Protocols': PROTOCOL, ...basic('alice') }),
    )
    const session = { 'BITS-Session-Id': create.header('BITS-Session-Id') ?? '' }
    const by = (name: string) =>
      packet(
        'Fragment',
        '/a.bin',
        { ...session, ...basic(name), 'Content-Range': 'bytes 0-1/9' },
        Buffer.from('ab'),
      )
    expect((await connection.exchange(by('bob'))).header('BITS-Error-Code')).toBe('0x8020001F')
    expect((await connection.exchange(by('alice'))).status).toBe(200)
    expect((await connection.exchange(packet('Close-Session', '/a.bin', session))).status).toBe(401)
  })

  test('asks for the password only at Create-Session with --trust-session-id', async () => {
    const { folder, server } = await start(['--trust-session-id'])
    const file = Buffer.from('hello')
    const connection = await connect(server)
    expect((await connection.exchange(createSession('/a.bin'))).status).toBe(401)
    const create = await connection.exchange(
      packet('Create-Session', '/a.bin', { 'BITS-Supported-Protocols': PROTOCOL, ...basic('alice') }),
    )
    const id = create.header('BITS-Session-Id') ?? ''
    expect((await connection.exchange(fragment('/a.bin', id, file))).status).toBe(200)
    expect(await readFile(join(folder, 'a.bin'), 'utf8')).toBe('hello')
    const guessed = '{11111111-2222-3333-4444-555555555555}'
    expect((await connection.exchange(fragment('/a.bin', guessed, file))).status).toBe(401)
  })

  test('ends the upload permanently on a wrong password', async () => {
    const { server } = await start()
    await withFile(10, async ({ path }) => {
      const url = urlFor(server, 'alice').replace('alice', 'carol')
      expect(await clientError(uploadFile(path, url, FAST))).toMatchObject({ status: 401, fatal: true })
    })
  })
})
