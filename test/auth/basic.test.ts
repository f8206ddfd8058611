import { createHash, timingSafeEqual } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, test } from '@jest/globals'
import basicAuth from 'basic-auth'
import type { Request, RequestHandler } from 'express'
import { uploadFile } from 'express-bits-upload/client'
import { fixtures } from '../support/fixtures.js'
import { createSession, fragment } from '../support/raw.js'
import { clientError, FAST, withFile } from '../support/upload-fixture.js'

const { start, connect, directory } = fixtures()

const passwords = new Map([
  ['alice', 'correct horse'],
  ['bob', 'battery staple'],
])

/** Runs before `bitsUpload()`: admits clients with a password (package `basic-auth`). */
const requirePassword: RequestHandler = (req, res, next) => {
  const credentials = basicAuth(req)
  const right = credentials && passwords.get(credentials.name)
  if (credentials && right !== undefined && isEqual(credentials.pass, right)) {
    res.locals.user = credentials.name
    return next()
  }
  res.set('WWW-Authenticate', 'Basic realm="uploads", charset="UTF-8"').sendStatus(401)
}

/** Takes the same time wherever the strings differ. */
const isEqual = (one: string, other: string): boolean => timingSafeEqual(digest(one), digest(other))
const digest = (text: string): Buffer => createHash('sha256').update(text).digest()

/** For the option `user`: the user that the preceding middleware admitted. */
const whoItIs = (req: Request): string | undefined => req.res?.locals.user

describe('Basic authentication before bitsUpload()', () => {
  const serve = async () => {
    const folder = await directory()
    const running = await start(
      { directory: folder, user: whoItIs },
      { before: (app) => app.use('/uploads', requirePassword) },
    )
    return { folder, ...running }
  }

  test('accepts an upload with the right password', async () => {
    const { folder, origin, bits } = await serve()
    const users: (string | undefined)[] = []
    bits.on('session', ({ user }) => users.push(user))
    await withFile(20_000, async ({ path, content }) => {
      await uploadFile(path, `${origin.replace('//', '//alice:correct%20horse@')}/uploads/a.bin`)
      expect((await readFile(join(folder, 'a.bin'))).equals(content)).toBe(true)
    })
    expect(users).toEqual(['alice'])
  })

  test.each(['', 'alice:battery%20staple@', 'carol:correct%20horse@', 'alice:@'])(
    'refuses "%s"',
    async (userinfo) => {
      const { folder, origin } = await serve()
      await withFile(10, async ({ path }) => {
        const upload = uploadFile(path, `${origin.replace('//', `//${userinfo}`)}/uploads/a.bin`, FAST)
        expect(await clientError(upload)).toMatchObject({ status: 401, fatal: true })
      })
      await expect(readFile(join(folder, 'a.bin'))).rejects.toThrow('ENOENT')
    },
  )

  test('challenges the way Windows clients expect, and answers the next request on the same connection', async () => {
    const running = await serve()
    const connection = await connect(running)
    const refused = await connection.exchange(createSession('/uploads/a.bin'))
    expect([refused.status, refused.header('WWW-Authenticate')]).toEqual([
      401,
      'Basic realm="uploads", charset="UTF-8"',
    ])
    const body = Buffer.alloc(100_000)
    expect((await connection.exchange(fragment('/uploads/a.bin', '{x}', body))).status).toBe(401)
    expect((await connection.exchange(createSession('/uploads/a.bin'))).status).toBe(401)
  })
})
