import { stat } from 'node:fs/promises'
import { type AddressInfo, createServer, type Socket } from 'node:net'
import { describe, expect, test } from '@jest/globals'
import { type UploadFailure, type UploadOptions, uploadFile } from 'express-bits-upload/client'
import { backOff, isFatal } from '../../lib/uploader/retry-policy.js'
import { faulty, type Reply, received, refuse, wellBehaved } from '../support/scripted-server.js'
import { clientError, FAST, KB, withFile, withServer } from '../support/upload-fixture.js'

const FRAGMENT = 'Fragment bytes 0-9/10'

/** Uploads ten bytes to a server that sends these responses to packets of this type before it behaves correctly. */
async function upload(type: string, replies: Reply[], options: UploadOptions = FAST) {
  const failures: UploadFailure[] = []
  return withFile(10, ({ path }) =>
    withServer(faulty(type, ...replies), async (server) => {
      const run = uploadFile(path, server.url(), {
        ...options,
        onFailure: (failure) => failures.push(failure),
      })
      const error: unknown = await run.then(
        () => undefined,
        (reason: unknown) => reason,
      )
      return { asked: server.asked, error, failures }
    }),
  )
}

describe('after a transient failure', () => {
  test.each<[string, Reply]>([
    ['a dropped connection', 'drop'],
    ['500', refuse(500, '0x80004005')],
    ['503', { status: 503, body: '<html>' }],
    ['408', refuse(408, '0x80070112', '0x7')],
    ['409', refuse(409)],
  ])('of a fragment (%s) a Ping is sent, then the fragment again', async (_, reply) => {
    const { asked, error } = await upload('Fragment', [reply])
    expect(error).toBeUndefined()
    expect(asked).toEqual(['Create-Session', FRAGMENT, 'Ping', FRAGMENT, 'Close-Session'])
  })

  test('of Create-Session the packet is sent again', async () => {
    const { asked } = await upload('Create-Session', ['drop', refuse(500)])
    expect(asked).toEqual(['Create-Session', 'Create-Session', 'Create-Session', FRAGMENT, 'Close-Session'])
  })

  test('of Create-Session the packet is sent again, even after a 409 for a reason other than an existing file', async () => {
    for (const reply of [refuse(409), refuse(409, '0x80070020')]) {
      expect((await upload('Create-Session', [reply])).error).toBeUndefined()
    }
  })

  test('of Close-Session the packet is sent again, after any 5xx', async () => {
    for (const status of [500, 501, 505]) {
      const { asked, error } = await upload('Close-Session', [refuse(status, '0x80070057')])
      expect(error).toBeUndefined()
      expect(asked.slice(-3)).toEqual(['Close-Session', 'Ping', 'Close-Session'])
    }
  })

  test('the server may correct the offset', async () => {
    await withFile(20 * KB, ({ path }) =>
      withServer(faulty('Fragment', received(5120), 'drop', received(7000, {}, 416)), async (server) => {
        await uploadFile(path, server.url(), { ...FAST, fragmentSize: 5120 })
        expect(server.asked.slice(1, 6)).toEqual([
          'Fragment bytes 0-5119/20480',
          'Fragment bytes 5120-10239/20480',
          'Ping',
          'Fragment bytes 5120-10239/20480',
          'Fragment bytes 7000-12119/20480',
        ])
      }),
    )
  })

  test('a broken connection makes fragments smaller for a while', async () => {
    await withFile(80 * KB, ({ path }) =>
      withServer(faulty('Fragment', 'drop', 'drop'), async (server) => {
        await uploadFile(path, server.url(), { ...FAST, fragmentSize: 40 * KB })
        const lengths = server.requests.map(({ body }) => body.length).filter((length) => length > 0)
        expect(lengths.map((length) => length / KB)).toEqual([40, 20, 10, 20, 40, 10])
      }),
    )
  })

  test('a port where no server listens is a transient failure, and reported as such', async () => {
    const closed = createServer().listen(0, '127.0.0.1')
    await new Promise((resolve) => closed.on('listening', resolve))
    const { port } = closed.address() as AddressInfo
    await new Promise((resolve) => closed.close(resolve))
    await withFile(1, async ({ path }) => {
      const url = `http://user:secret@127.0.0.1:${port}/x?token=secret`
      const error = await clientError(uploadFile(path, url, { ...FAST, retries: 2 }))
      expect(error).toMatchObject({ packet: 'Create-Session', status: undefined, fatal: false })
      expect(error.message).toMatch(
        /^No response to Create-Session from 127\.0\.0\.1:\d+: connect ECONNREFUSED/,
      )
      expect(JSON.stringify([error.message, error.stack])).not.toContain('secret')
    })
  })
})

describe('the client gives up', () => {
  test('after as many consecutive failures as it has retries', async () => {
    const { asked, error, failures } = await upload('Create-Session', Array(9).fill('drop'), {
      ...FAST,
      retries: 3,
    })
    expect(asked).toHaveLength(4)
    expect(error).toMatchObject({ fatal: false, packet: 'Create-Session' })
    expect(failures.map((failure) => failure.failures)).toEqual([1, 2, 3, 4])
    expect(failures.map(({ delay }) => delay !== undefined)).toEqual([true, true, true, false])
  })

  test('not while there is progress between the failures', async () => {
    let count = 0
    await withFile(6 * 5120, ({ path }) =>
      withServer(
        (request) => (request.headers['content-range'] && ++count % 2 ? 'drop' : wellBehaved(request)),
        async (server) => {
          await uploadFile(path, server.url(), { ...FAST, fragmentSize: 5120, retries: 1 })
          expect(server.asked.filter((packet) => packet === 'Ping')).toHaveLength(6)
        },
      ),
    )
  })

  test.each<[string, string, Reply]>([
    ['403', 'Create-Session', refuse(403)],
    ['404', 'Create-Session', refuse(404)],
    ['401', 'Fragment', refuse(401)],
    ['501 + E_ACCESSDENIED', 'Create-Session', refuse(501, '0x80070005')],
    ['BG_E_TOO_LARGE', 'Fragment', refuse(500, '0x80200020')],
    ['E_INVALIDARG', 'Fragment', refuse(500, '0x80070057')],
    ['505', 'Fragment', refuse(505)],
    ['302', 'Create-Session', { status: 302, headers: { Location: '/' } }],
    ['308', 'Fragment', { status: 308, headers: { Location: '/' } }],
    ['413 to another packet', 'Create-Session', refuse(413)],
    ['409 + ERROR_FILE_EXISTS', 'Create-Session', refuse(409, '0x80070050')],
    ['404 to Close-Session', 'Close-Session', refuse(404)],
    ['408 to Close-Session', 'Close-Session', refuse(408)],
  ])('immediately after %s', async (_, type, reply) => {
    const { asked, error, failures } = await upload(type, [reply])
    expect(error).toMatchObject({ fatal: true, packet: type })
    expect(asked.at(-1)).toBe(type === 'Fragment' ? FRAGMENT : type)
    expect(failures).toEqual([{ error, failures: 0, delay: undefined }])
  })
})

describe('a request times out', () => {
  test('while waiting for an Ack', async () => {
    const { asked, failures } = await upload('Fragment', ['silence'], { ...FAST, responseTimeout: 50 })
    expect(asked).toEqual(['Create-Session', FRAGMENT, 'Ping', FRAGMENT, 'Close-Session'])
    expect(failures[0]?.error.message).toBe('The server did not answer (Fragment) within 50 ms.')
  })

  test('while sending, if the server reads no bytes', async () => {
    const deaf = createServer((socket) => void socket.pause().on('error', () => {}))
    deaf.listen(0, '127.0.0.1')
    await new Promise((resolve) => deaf.on('listening', resolve))
    const { port } = deaf.address() as AddressInfo
    // The upload resumes a session, so a Ping comes first, which is answered.
    const sockets: Socket[] = []
    deaf.on('connection', (socket) => {
      sockets.push(socket)
      socket.write('HTTP/1.1 200 OK\r\nBITS-Packet-Type: Ack\r\nContent-Length: 0\r\n\r\n')
    })
    try {
      await withFile(13 * 1024 * KB, async ({ path }) => {
        const { mtimeMs } = await stat(path)
        const error = await clientError(
          uploadFile(path, `http://127.0.0.1:${port}/x`, {
            retries: 0,
            sendTimeout: 200,
            fragmentSize: 13 * 1024 * KB,
            resume: { sessionId: 'a', offset: 0, size: 13 * 1024 * KB, modified: mtimeMs },
          }),
        )
        expect(error.message).toBe('The server did not take the request (Fragment) within 200 ms.')
      })
    } finally {
      deaf.close()
      // A paused socket does not notice that the client has disconnected.
      for (const socket of sockets) socket.destroy()
    }
  })

  test('but not while the response is slow, but in time', async () => {
    const { error } = await upload('Fragment', [received(10, {}), { delay: 0 }], FAST)
    expect(error).toBeUndefined()
    const slow = { ...received(10), delay: 150 }
    expect((await upload('Fragment', [slow], { ...FAST, responseTimeout: 2000 })).failures).toEqual([])
  })
})

describe('back-off', () => {
  const delays = { minRetryDelay: 1000, maxRetryDelay: 60_000 }

  test('doubles from the least delay to the greatest', () => {
    const whole = [1, 2, 3, 7, 8, 2000].map((failures) => backOff(failures, delays, () => 1))
    expect(whole).toEqual([1000, 2000, 4000, 60_000, 60_000, 60_000])
  })

  test('is shortened at random, by half at most', () => {
    expect(backOff(3, delays, () => 0)).toBe(2000)
    expect(backOff(3, delays, () => 0.5)).toBe(3000)
  })
})

test('transient or fatal: the table of Win32 handling-server-application-errors, and 308', () => {
  const statuses = Array.from({ length: 300 }, (_, i) => 300 + i)
  const fatal = statuses.filter((status) => isFatal('Create-Session', status, undefined))
  const fours = statuses.filter((status) => status >= 400 && status < 500 && status !== 408 && status !== 409)
  expect(fatal).toEqual([300, 301, 302, 303, 304, 305, 307, 308, ...fours, 501, 505])
})
