import { describe, expect, jest, test } from '@jest/globals'
import {
  type ErrorOrigin,
  MemorySessionStore,
  MemoryStorage,
  type SessionInfo,
  type UploadedFile,
} from 'express-bits-upload'
import { pause } from '../delivery/support.js'
import { bytes } from '../support/bytes.js'
import { expectAck, expectClosing } from '../support/expect-ack.js'
import { fixtures } from '../support/fixtures.js'
import { cancelSession, closeSession, createSession, fragment, openSession, packet } from '../support/raw.js'
import { type Running, untilHeld } from '../support/serve.js'
import { FailingStorage, SlowStorage } from '../support/storages.js'

const { start, connect, directory, afterwards } = fixtures()

const PATH = '/uploads/file.bin'
const FILE = bytes(3000)

interface Heard {
  session: SessionInfo[]
  progress: SessionInfo[]
  uploaded: UploadedFile[]
  cancelled: SessionInfo[]
  expired: SessionInfo[]
  error: [error: Error, origin: ErrorOrigin][]
}

function listen({ bits }: Running): Heard {
  const heard: Heard = { session: [], progress: [], uploaded: [], cancelled: [], expired: [], error: [] }
  bits
    .on('session', (session) => heard.session.push(session))
    .on('progress', (session) => heard.progress.push(session))
    .on('uploaded', (file) => heard.uploaded.push(file))
    .on('cancelled', (session) => heard.cancelled.push(session))
    .on('expired', (session) => heard.expired.push(session))
    .on('error', (error, origin) => heard.error.push([error, origin]))
  return heard
}

const counts = (heard: Heard) =>
  Object.fromEntries(Object.entries(heard).map(([name, events]) => [name, events.length]))

const NONE = { session: 0, progress: 0, uploaded: 0, cancelled: 0, expired: 0, error: 0 }

describe('events', () => {
  test('of an upload: session, progress with each fragment, uploaded once', async () => {
    const root = await directory()
    const running = await start({ directory: root, user: () => 'alice' })
    const heard = listen(running)
    const connection = await connect(running)
    const id = await openSession(connection, PATH)
    await connection.exchange(fragment(PATH, id, FILE, 0, 999))
    await connection.exchange(fragment(PATH, id, FILE, 1000))
    await connection.exchange(fragment(PATH, id, FILE, 1000))
    await connection.exchange(closeSession(PATH, id))

    expect(counts(heard)).toEqual({ ...NONE, session: 1, progress: 2, uploaded: 1 })
    const common = { destination: 'file.bin', path: PATH, user: 'alice' }
    expect(heard.session).toMatchObject([{ ...common, state: 'receiving', received: 0, rate: 0 }])
    expect(heard.session[0]?.total).toBeUndefined()
    expect(heard.session[0]?.createdAt).toBeInstanceOf(Date)
    expect(heard.progress.map(({ received }) => received)).toEqual([1000, 3000])
    expect(heard.uploaded).toMatchObject([
      {
        destination: 'file.bin',
        size: 3000,
        path: `${root}/file.bin`,
        session: { ...common, state: 'published', received: 3000, total: 3000 },
      },
    ])
    expect(new Set([...heard.session, ...heard.progress].map((session) => session.uploadId)).size).toBe(1)
  })

  test('contain no session id, with which anyone could continue the upload', async () => {
    const running = await start({ storage: new MemoryStorage() })
    const heard = listen(running)
    const connection = await connect(running)
    const id = await openSession(connection, PATH)
    await connection.exchange(fragment(PATH, id, FILE))
    await connection.exchange(cancelSession(PATH, id))
    const output = [
      JSON.stringify(heard),
      ...running.logger.lines,
      JSON.stringify(await running.bits.sessions()),
    ]
    expect(output.join('\n').toUpperCase()).not.toContain(id.slice(1, -1))
  })

  test('progress comes about twice a second while a long fragment is in progress', async () => {
    const running = await start({ storage: new MemoryStorage() })
    const heard = listen(running)
    const connection = await connect(running)
    const id = await openSession(connection, PATH)
    await connection.exchange(fragment(PATH, id, FILE, 0, 999))
    connection.write(fragment(PATH, id, FILE, 500).subarray(0, -1000))
    await untilHeld(running, 2000)
    await new Promise((resolve) => running.bits.once('progress', resolve))
    await connection.exchange(FILE.subarray(-1000))
    const received = heard.progress.map((session) => session.received)
    expect([...new Set(received)]).toEqual([1000, 2000, 3000])
    expect(heard.uploaded).toHaveLength(1)
  })

  test('cancelled comes once, for a Cancel-Session and for an early Close-Session', async () => {
    for (const [end, state] of [
      [cancelSession, 'cancelled'],
      [closeSession, 'closed'],
    ] as const) {
      const running = await start({ storage: new MemoryStorage() })
      const heard = listen(running)
      const connection = await connect(running)
      const id = await openSession(connection, PATH)
      await connection.exchange(fragment(PATH, id, FILE, 0, 9))
      await connection.exchange(end(PATH, id))
      await connection.exchange(end(PATH, id))
      expect(counts(heard)).toEqual({ ...NONE, session: 1, progress: 1, cancelled: 1 })
      expect(heard.cancelled).toMatchObject([{ destination: 'file.bin', received: 10, total: 3000, state }])
    }
  })

  test('error has path and upload id, and is not emitted for client errors', async () => {
    const storage = new FailingStorage()
    const running = await start({ storage })
    const heard = listen(running)
    const connection = await connect(running)
    const id = await openSession(connection, `${PATH}?token=secret`)
    const cause = new Error('The array is degraded.')
    storage.failure = { at: 'publish', error: cause }
    await connection.exchange(fragment(`${PATH}?token=secret`, id, FILE))
    expect(heard.error).toEqual([[cause, { path: PATH, uploadId: heard.session[0]?.uploadId }]])
    expect(running.logger.lines.join('\n')).toContain('error: BITS upload: Error: The array is degraded.')
    expect(running.logger.lines.join('\n')).not.toContain('secret')
    await connection.exchange(packet('Nonsense', PATH))
    await connection.exchange(fragment(PATH, id, bytes(1)))
    expect(heard.error).toHaveLength(1)
  })

  test('error without a listener does not end the process', async () => {
    const storage = new FailingStorage()
    storage.failure = { at: 'has', error: new Error('The array is degraded.') }
    const running = await start({ storage })
    const connection = await connect(running)
    const ack = await connection.exchange(createSession(PATH))
    expectAck(ack, { status: 500, error: '0x80004005' })
    expect(running.logger.lines.filter((line) => line.includes('degraded'))).toHaveLength(1)
  })

  test('a thrown value need not be an Error', async () => {
    const storage = new FailingStorage()
    storage.failure = { at: 'has', error: 'just a string' }
    const running = await start({ storage })
    const heard = listen(running)
    const ack = await (await connect(running)).exchange(createSession(PATH))
    expectAck(ack, { status: 500, error: '0x80004005' })
    expect(heard.error[0]?.[0]).toBeInstanceOf(Error)
    expect(heard.error[0]?.[0].message).toContain('just a string')
  })

  test('a listener that throws has no effect on the upload, and is reported', async () => {
    const storage = new FailingStorage()
    const running = await start({ storage })
    const fail = () => {
      throw new Error('The listener is broken.')
    }
    const { bits } = running
    bits.on('session', fail).on('progress', fail).on('uploaded', fail).on('cancelled', fail).on('error', fail)
    const connection = await connect(running)
    const id = await openSession(connection, PATH)
    const ack = await connection.exchange(fragment(PATH, id, FILE))
    expectAck(ack, { status: 200, session: id, offset: 3000 })
    storage.failure = { at: 'has', error: new Error('Degraded.') }
    expect((await connection.exchange(createSession(PATH))).status).toBe(500)
    const complaints = running.logger.lines.filter((line) => line.includes('The listener is broken.'))
    expect(complaints).toHaveLength(4)
    for (const name of ['session', 'progress', 'uploaded', 'error']) {
      expect(complaints.some((line) => line.startsWith(`error: A listener of "${name}" threw`))).toBe(true)
    }
  })

  test('a listener may be an async function, whose rejection has no effect either', async () => {
    const running = await start({ storage: new FailingStorage() })
    const fail = async () => {
      throw new Error('The listener is broken.')
    }
    running.bits.on('session', fail).on('uploaded', fail)
    const connection = await connect(running)
    const id = await openSession(connection, PATH)
    expectAck(await connection.exchange(fragment(PATH, id, FILE)), { status: 200, session: id, offset: 3000 })
    const complaints = running.logger.lines.filter((line) => line.includes('The listener is broken.'))
    expect(complaints.map((line) => line.split(':')[1])).toEqual([
      ' A listener of "session" threw',
      ' A listener of "uploaded" threw',
    ])
  })

  test('a logger that throws has no effect on the upload, and is reported once', async () => {
    const warn = jest.spyOn(process, 'emitWarning').mockReturnValue()
    afterwards(() => warn.mockRestore())
    const fail = () => {
      throw new Error('The log is full.')
    }
    const running = await start({
      storage: new MemoryStorage(),
      logger: { info: fail, warn: fail, error: fail },
    })
    const connection = await connect(running)
    const id = await openSession(connection, PATH)
    expectAck(await connection.exchange(fragment(PATH, id, FILE)), { status: 200, session: id, offset: 3000 })
    expect(warn.mock.calls).toEqual([['express-bits-upload: the option logger threw: The log is full.']])
  })

  test('once() receives one event, and off() stops them', async () => {
    const running = await start({ storage: new MemoryStorage() })
    const heard: string[] = []
    const listener = () => void heard.push('on')
    running.bits.on('session', listener).once('session', () => void heard.push('once'))
    const connection = await connect(running)
    await openSession(connection, PATH)
    await openSession(connection, PATH)
    running.bits.off('session', listener)
    await openSession(connection, PATH)
    expect(heard.sort()).toEqual(['on', 'on', 'once'])
  })
})

test('bits.sessions() lists those that have not ended, with the bytes in the storage', async () => {
  const running = await start({ storage: new MemoryStorage(), overwrite: true })
  const connection = await connect(running)
  const closed = await openSession(connection, '/uploads/closed')
  await connection.exchange(closeSession('/uploads/closed', closed))
  const published = await openSession(connection, '/uploads/published')
  await connection.exchange(fragment('/uploads/published', published, FILE))
  await openSession(connection, '/uploads/new')
  const hanging = await openSession(connection, '/uploads/hanging')
  connection.write(fragment('/uploads/hanging', hanging, FILE).subarray(0, -1000))
  await untilHeld(running, 2000)
  const sessions = await running.bits.sessions()
  expect(sessions.sort((a, b) => a.destination.localeCompare(b.destination))).toMatchObject([
    { destination: 'hanging', state: 'receiving', received: 2000, total: 3000 },
    { destination: 'new', state: 'receiving', received: 0, total: undefined },
    { destination: 'published', state: 'published', received: 3000, total: 3000 },
  ])
})

test('a storage that was opened is not opened again if the store could not be opened', async () => {
  let opened = 0
  const storage = Object.assign(new MemoryStorage(), {
    async open() {
      opened++
    },
  })
  let tries = 0
  const sessions = Object.assign(new MemorySessionStore(), {
    async open() {
      if (++tries < 2) throw new Error('The database is starting.')
    },
  })
  const connection = await connect(await start({ storage, sessionStore: sessions }))
  // A failure is remembered for a second, so that not every packet tries again.
  for (let n = 0; n < 10; n++) expect((await connection.exchange(createSession(PATH))).status).toBe(500)
  expect([opened, tries]).toEqual([1, 1])
  while ((await connection.exchange(createSession(PATH))).status !== 200) await pause(20)
  expect([opened, tries]).toEqual([1, 2])
})

describe('bits.close()', () => {
  test('waits for the packet in progress; later ones get 503', async () => {
    const storage = new SlowStorage()
    const running = await start({ storage })
    const first = await connect(running)
    const second = await connect(running)
    const id = await openSession(first, PATH)
    first.write(fragment(PATH, id, FILE))
    await storage.asked()
    let closed = false
    const closing = running.bits.close().then(() => {
      closed = true
    })
    const late = await second.exchange(createSession('/uploads/late'))
    expectAck(late, { status: 503, error: '0x801901F7' })
    expect(closed).toBe(false)
    storage.go()
    expectAck(await first.ack(), { status: 200, session: id, offset: 3000 })
    await closing
    expect(storage.files.get('file.bin')).toEqual(FILE)
  })

  test('a fragment that arrives later gets 503, even from a client that writes before it reads', async () => {
    const running = await start({ storage: new MemoryStorage() })
    const connection = await connect(running)
    const id = await openSession(connection, PATH)
    await running.bits.close()
    connection.socket.pause()
    await new Promise<void>((resolve, reject) => {
      const whole = fragment(PATH, id, Buffer.alloc(8_000_000))
      connection.socket.write(whole, (error) => (error ? reject(error) : resolve()))
    })
    connection.socket.resume()
    const ack = await connection.ack()
    expect(ack.status).toBe(503)
    expect(ack.header('BITS-Error-Code')).toBe('0x801901F7')
    await expectClosing(connection, ack)
  })

  test('no longer uses storage and store', async () => {
    const asked: string[] = []
    const recording = <T extends object>(target: T): T =>
      new Proxy(target, {
        get(_, name) {
          const value = Reflect.get(target, name)
          if (typeof value !== 'function') return value
          return (...args: unknown[]) => {
            asked.push(String(name))
            return Reflect.apply(value, target, args)
          }
        },
      })
    const running = await start({
      storage: recording(new MemoryStorage()),
      sessionStore: recording(new MemorySessionStore()),
      onUpload: () => 'reply',
    })
    const connection = await connect(running)
    const id = await openSession(connection, PATH)
    const other = await openSession(connection, PATH)
    await connection.exchange(fragment(PATH, id, FILE))
    const listing = running.bits.sessions()
    await running.bits.close()
    expect(await listing).toHaveLength(2)
    asked.length = 0
    expectAck(await connection.exchange(fragment(PATH, other, FILE)), {
      status: 503,
      error: '0x801901F7',
      session: other,
    })
    const reply = await fetch(
      `${running.origin}/uploads/BITS-Sessions/Replies/%7B${id.slice(1, -1)}%7D/responsefile.bin`,
    )
    expect(reply.status).toBe(503)
    await expect(running.bits.sessions()).rejects.toThrow('bits.sessions(): bits.close() was called.')
    expect(asked).toEqual([])
  })

  test('closes everything it can, and then reports what failed', async () => {
    const calls: string[] = []
    const closing = (name: string, failure?: Error) => ({
      async close() {
        calls.push(name)
        if (failure) throw failure
      },
    })
    const failure = new Error('The array is degraded.')
    const running = await start({
      storage: Object.assign(new MemoryStorage(), closing('storage', failure)),
      sessionStore: Object.assign(new MemorySessionStore(), closing('store')),
      perRequest: () => ({ storage: tenant }),
    })
    const tenant = Object.assign(new MemoryStorage(), closing('tenant'))
    await openSession(await connect(running), PATH)
    const stop = running.bits.close()
    await expect(stop).rejects.toBe(failure)
    expect(calls.sort()).toEqual(['storage', 'store', 'tenant'])
    Object.assign(running, { stop: async () => void running.server.close() })
  })

  test('closes storage and store after the last packet, once', async () => {
    const calls: string[] = []
    class ClosingStorage extends MemoryStorage {
      async open() {
        calls.push('open')
      }
      async close() {
        calls.push('close')
      }
    }
    const running = await start({ storage: new ClosingStorage() })
    const connection = await connect(running)
    await openSession(connection, PATH)
    await running.bits.close()
    expect(calls).toEqual(['open', 'close'])
  })
})
