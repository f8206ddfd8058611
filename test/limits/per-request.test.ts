import { access, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, test } from '@jest/globals'
import type { Request } from 'express'
import {
  BitsError,
  type BitsUploadOptions,
  FileStorage,
  MemorySessionStore,
  MemoryStorage,
  type RequestSettings,
} from 'express-bits-upload'
import { ask, pause, replyPath, upload } from '../delivery/support.js'
import { expectAck } from '../support/expect-ack.js'
import { fixtures } from '../support/fixtures.js'
import { closeSession, createSession, fragment, openSession, packet } from '../support/raw.js'
import { contentOf } from '../support/upload-fixture.js'

const { start, connect, directory } = fixtures()

const PATH = '/uploads/file.bin'
const FILE = contentOf(1000)

const tenant = (req: Request): string => String(req.query.tenant)
/** `/uploads/file.bin` of a tenant. */
const pathOf = (name: string) => `${PATH}?tenant=${name}`

describe('perRequest', () => {
  test('sets a quota', async () => {
    const running = await start({
      storage: new MemoryStorage(),
      maxUploadSize: 10_000,
      perRequest: (req) => (tenant(req) === 'small' ? { maxUploadSize: 999 } : undefined),
    })
    const connection = await connect(running)
    const { id, ack } = await upload(connection, pathOf('small'), FILE)
    expectAck(ack, { status: 500, error: '0x80200020', session: id, offset: 0 })
    expect((await upload(connection, pathOf('large'), FILE)).ack.status).toBe(200)
  })

  test('sets any limit', async () => {
    const settings: RequestSettings = {
      maxFragmentSize: 5120,
      overwrite: true,
      hostId: 'other.example.com',
      hostIdFallbackTimeout: 7,
      maxSessionsPerUser: 2,
    }
    const storage = new MemoryStorage()
    storage.files.set('file.bin', Buffer.from('old'))
    const running = await start({ storage, perRequest: async () => settings })
    const connection = await connect(running)
    const created = await connection.exchange(createSession(PATH))
    expect(created.status).toBe(200)
    expect(created.header('BITS-Host-Id')).toBe('other.example.com')
    expect(created.header('BITS-Host-Id-Fallback-Timeout')).toBe('7')
    const large = contentOf(5121)
    expect((await upload(connection, PATH, large)).ack.status).toBe(413)
    expect((await connection.exchange(createSession(PATH))).status).toBe(503)
  })

  test.each(['storage', 'directory'] as const)(
    'gives a tenant its own %s, and sessions do not mix',
    async (kind) => {
      const places = { ann: await directory(), bob: await directory() }
      const storages = {
        ann: new FileStorage({ directory: places.ann }),
        bob: new FileStorage({ directory: places.bob }),
      }
      const running = await start({
        storage: new MemoryStorage(),
        perRequest(req) {
          const name = tenant(req) === 'ann' ? 'ann' : 'bob'
          return kind === 'storage' ? { storage: storages[name] } : { directory: places[name] }
        },
      })
      const connection = await connect(running)
      const id = await openSession(connection, pathOf('ann'))
      await connection.exchange(fragment(pathOf('ann'), id, FILE, 0, 499))
      // Same path and user, but Bob's tenant: Ann's session is unknown there.
      const stranger = await connection.exchange(fragment(pathOf('bob'), id, FILE, 500))
      expectAck(stranger, { status: 500, error: '0x8020001F', session: id, offset: 0 })
      const ack = await connection.exchange(fragment(pathOf('ann'), id, FILE, 500))
      expectAck(ack, { status: 200, session: id, offset: 1000 })
      expect(await readFile(join(places.ann, 'file.bin'))).toEqual(FILE)
      await expect(access(join(places.bob, 'file.bin'))).rejects.toThrow('ENOENT')
      expect((await running.bits.sessions()).map(({ state }) => state)).toEqual(['published'])
    },
  )

  test('gives a tenant its own replies', async () => {
    const places = { ann: await directory(), bob: await directory() }
    const running = await start({
      storage: new MemoryStorage(),
      onUpload: () => 'for Ann',
      perRequest: (req) => ({ directory: tenant(req) === 'ann' ? places.ann : places.bob }),
    })
    const { ack } = await upload(await connect(running), pathOf('ann'), FILE)
    const path = replyPath(PATH, ack)
    expect((await ask(running, `${path}?tenant=ann`)).body.toString()).toBe('for Ann')
    expect((await ask(running, `${path}?tenant=bob`)).status).toBe(404)
  })

  test('chooses how uploads are delivered', async () => {
    const called: string[] = []
    const running = await start({
      storage: new MemoryStorage(),
      onUpload: () => void called.push('common'),
      perRequest: (req) => (tenant(req) === 'ann' ? { onUpload: () => void called.push('ann') } : {}),
    })
    const connection = await connect(running)
    await upload(connection, pathOf('ann'), FILE)
    await upload(connection, `/uploads/b.bin`, FILE)
    expect(called).toEqual(['ann', 'common'])
  })

  test('that returns the common storage or directory uses the common sessions', async () => {
    const root = await directory()
    const storage = new FileStorage({ directory: root })
    const setups: [BitsUploadOptions, RequestSettings][] = [
      [{ storage }, { storage }],
      [{ directory: root }, { directory: join(root, '.') }],
      [{ storage }, { directory: root }],
    ]
    for (const [common, own] of setups) {
      const running = await start({
        ...common,
        overwrite: true,
        perRequest: (req) => (tenant(req) === 'ann' ? own : undefined),
      })
      const [one, two] = [await connect(running), await connect(running)]
      const id = await openSession(one, PATH)
      // With two sets of sessions, two packets of one session could be processed concurrently.
      one.write(fragment(PATH, id, FILE).subarray(0, -500))
      await pause(50)
      const ack = await two.exchange(fragment(pathOf('ann'), id, FILE))
      expectAck(ack, { status: 200, session: id, offset: 1000 })
      await one.closed()
      expect(await running.bits.sessions()).toHaveLength(1)
      await two.exchange(closeSession(PATH, id))
      await running.stop()
    }
  })

  test('may create a FileStorage for each request: its directory identifies it', async () => {
    const root = await directory()
    const running = await start({
      storage: new MemoryStorage(),
      perRequest: () => ({ storage: new FileStorage({ directory: root }) }),
    })
    const { ack } = await upload(await connect(running), PATH, FILE)
    expect(ack.status).toBe(200)
    expect(await readFile(join(root, 'file.bin'))).toEqual(FILE)
  })

  test('causes a warning if it keeps creating storages', async () => {
    const running = await start({
      storage: new MemoryStorage(),
      perRequest: () => ({ storage: new MemoryStorage() }),
    })
    const connection = await connect(running)
    for (let n = 0; n < 1001; n++) await connection.exchange(createSession(PATH))
    const warnings = running.logger.lines.filter((line) =>
      line.startsWith('warn: BITS upload: perRequest has returned'),
    )
    expect(warnings).toHaveLength(1)
    expect(warnings[0]).toContain('1000 storages')
  })

  test('disables uploads for a request, and removes nothing', async () => {
    const root = await directory()
    let on = true
    const options: BitsUploadOptions = {
      storage: new MemoryStorage(),
      perRequest: () => ({ directory: root, enabled: on }),
    }
    const first = await start(options)
    const connection = await connect(first)
    const id = await openSession(connection, PATH)
    await connection.exchange(fragment(PATH, id, FILE, 0, 499))
    await first.stop()

    on = false
    const second = await start(options)
    const again = await connect(second)
    expectAck(await again.exchange(packet('Ping', PATH)), { status: 501, error: '0x80070005' })
    await pause(100)
    on = true
    const ack = await again.exchange(fragment(PATH, id, FILE, 500))
    expectAck(ack, { status: 200, session: id, offset: 1000 })
  })

  test('enables uploads for some where they are disabled, and their sessions stay', async () => {
    const root = await directory()
    const options: BitsUploadOptions = {
      directory: root,
      enabled: false,
      cleanupInterval: 0.05,
      perRequest: (req) => (tenant(req) === 'important' ? { enabled: true } : undefined),
    }
    const first = await start(options)
    const id = await openSession(await connect(first), pathOf('important'))
    await (await connect(first)).exchange(fragment(pathOf('important'), id, FILE, 0, 499))
    await pause(150)
    await first.stop()
    const second = await start(options)
    await pause(150)
    const connection = await connect(second)
    expect((await connection.exchange(packet('Ping', pathOf('other')))).status).toBe(501)
    const ack = await connection.exchange(fragment(pathOf('important'), id, FILE, 500))
    expectAck(ack, { status: 200, session: id, offset: 1000 })
  })

  test('enables uploads for a tenant where they are disabled, and removes none of its data', async () => {
    const root = await directory()
    const first = await start({ directory: root })
    const id = await openSession(await connect(first), PATH)
    await first.stop()
    const second = await start({
      storage: new MemoryStorage(),
      enabled: false,
      perRequest: () => ({ directory: root, enabled: true }),
    })
    const ack = await (await connect(second)).exchange(fragment(PATH, id, FILE))
    expectAck(ack, { status: 200, session: id, offset: 1000 })
  })

  test('keeps settings that it leaves out or returns as undefined', async () => {
    const running = await start({
      storage: new MemoryStorage(),
      maxUploadSize: 10,
      hostId: 'a.example.com',
      perRequest: () => Object.fromEntries([['maxUploadSize', undefined]]),
    })
    const connection = await connect(running)
    const created = await connection.exchange(createSession(PATH))
    expect(created.header('BITS-Host-Id')).toBe('a.example.com')
    expect((await upload(connection, PATH, FILE)).ack.header('BITS-Error-Code')).toBe('0x80200020')
  })

  test('that throws decides the response by its error, also for a reply', async () => {
    const errors = [
      new BitsError({ status: 404 }, 'no such tenant'),
      new Error('the database is gone'),
      new Error('the database is gone'),
    ]
    const running = await start({
      storage: new MemoryStorage(),
      perRequest: () => Promise.reject(errors.shift()),
    })
    const connection = await connect(running)
    expectAck(await connection.exchange(createSession(PATH)), { status: 404, error: '0x80190194' })
    expectAck(await connection.exchange(createSession(PATH)), { status: 500, error: '0x80004005' })
    const path = '/uploads/BITS-Sessions/Replies/{A0FF5911-4144-45B3-BF27-27AFC8EC8A67}/responsefile.bin'
    expect((await ask(running, path)).status).toBe(500)
    expect(running.logger.lines.filter((line) => line.includes('the database is gone'))).toHaveLength(2)
  })
})

describe('invalid settings for a request get 500, and the log says what is wrong:', () => {
  const memory = new MemoryStorage()
  const wrong: [string, unknown, RegExp][] = [
    ['a limit', { maxUploadSize: 'lots' }, /the option maxUploadSize is "lots": use a whole number/],
    ['a name', { maxuploadsize: 1 }, /no option "maxuploadsize": did you mean maxUploadSize\?/],
    ['an option that is not for requests', { acceptPost: true }, /perRequest .*acceptPost/],
    ['a name of every object', { constructor: 1 }, /there is no option "constructor"/],
    ['two places', { storage: memory, directory: 'x' }, /use storage or directory, not both/],
    ['sessions without a place', { sessionStore: new MemorySessionStore() }, /use its storage or directory/],
    ['two deliveries', { onUpload: () => {}, notification: { type: 'by-value', url: 'x' } }, /not both/],
    [
      'a notification of paths there are none of',
      { notification: { type: 'by-reference', url: 'x' } },
      /use a FileStorage/,
    ],
    ['no object', 'tenant', /perRequest .*"tenant"/],
  ]
  test.each(wrong)('%s', async (_name, settings, message) => {
    const options: BitsUploadOptions = {
      storage: new MemoryStorage(),
      perRequest: () => settings as RequestSettings,
    }
    const running = await start(options)
    const connection = await connect(running)
    expectAck(await connection.exchange(createSession(PATH)), { status: 500, error: '0x80004005' })
    expect(running.logger.lines.join('\n')).toMatch(message)
  })
})
