import { describe, expect, test } from '@jest/globals'
import { uploadFile } from 'express-bits-upload/client'
import {
  ack,
  created,
  faulty,
  type Reply,
  received,
  refuse,
  wellBehaved,
} from '../support/scripted-server.js'
import { clientError, FAST, withFile, withServer } from '../support/upload-fixture.js'

const SIZE = 10_240
const OPTIONS = { ...FAST, fragmentSize: 5120 }
const [FIRST, SECOND] = [`Fragment bytes 0-5119/${SIZE}`, `Fragment bytes 5120-10239/${SIZE}`]
const LOST = refuse(500, '0x8020001F')

describe('an unknown session (0x8020001F) makes the client start over', () => {
  test.each([
    ['BITS-Error-Code', '0x8020001F', 500],
    ['BITS-Error', '0x8020001f', 500],
    ['BITS-Error-Code', '8020001f', 500],
    ['BITS-Error-Code', '0x8020001F', 404],
  ])('if %s is %s, with %d', async (name, value, status) => {
    await withFile(SIZE, ({ path }) =>
      withServer(faulty('Fragment', received(5120), ack({ [name]: value }, status)), async (server) => {
        await uploadFile(path, server.url(), OPTIONS)
        expect(server.asked).toEqual([
          'Create-Session',
          FIRST,
          SECOND,
          'Create-Session',
          FIRST,
          SECOND,
          'Close-Session',
        ])
      }),
    )
  })

  test('also at Close-Session', async () => {
    await withFile(10, ({ path }) =>
      withServer(faulty('Close-Session', LOST), async (server) => {
        await uploadFile(path, server.url(), OPTIONS)
        expect(server.asked.slice(2)).toEqual([
          'Close-Session',
          'Create-Session',
          'Fragment bytes 0-9/10',
          'Close-Session',
        ])
      }),
    )
  })

  test('but not at a repeated Close-Session, because the first one succeeded', async () => {
    await withFile(10, ({ path }) =>
      withServer(faulty('Close-Session', 'drop', LOST), async (server) => {
        await uploadFile(path, server.url(), OPTIONS)
        expect(server.asked.slice(2)).toEqual(['Close-Session', 'Ping', 'Close-Session'])
      }),
    )
  })

  test('with the id of the new session', async () => {
    const sessions = ['one', 'two']
    const script = faulty('Fragment', LOST)
    await withFile(10, ({ path }) =>
      withServer(
        (request) =>
          request.headers['bits-packet-type'] === 'Create-Session'
            ? created({ 'BITS-Session-Id': sessions.shift() ?? '' })
            : script(request),
        async (server) => {
          expect(await uploadFile(path, server.url(), OPTIONS)).toMatchObject({ sessionId: 'two' })
          expect(server.requests.map(({ headers }) => headers['bits-session-id'])).toEqual([
            undefined,
            'one',
            undefined,
            'two',
            'two',
          ])
        },
      ),
    )
  })

  test('but only a few times without progress', async () => {
    await withFile(SIZE, ({ path }) =>
      withServer(
        (request) => (request.headers['content-range'] ? LOST : wellBehaved(request)),
        async (server) => {
          const error = await clientError(uploadFile(path, server.url(), { ...OPTIONS, restarts: 2 }))
          expect(error).toMatchObject({ hresultName: 'BG_E_SESSION_NOT_FOUND', status: 500, fatal: false })
          expect(server.asked.filter((packet) => packet === 'Create-Session')).toHaveLength(3)
        },
      ),
    )
  })

  test('as often as necessary while each session gets further than the one before', async () => {
    // Session n acknowledges n fragments before it is lost.
    let session = 0
    let fragments = 0
    const script = (request: Parameters<typeof wellBehaved>[0]): Reply => {
      if (request.headers['bits-packet-type'] === 'Create-Session') {
        session += 1
        fragments = 0
      }
      return request.headers['content-range'] && ++fragments > session ? LOST : wellBehaved(request)
    }
    await withFile(5 * 5120, ({ path }) =>
      withServer(script, async (server) => {
        await uploadFile(path, server.url(), { ...OPTIONS, restarts: 1 })
        expect(session).toBe(5)
        expect(server.asked.at(-1)).toBe('Close-Session')
      }),
    )
  })
})
