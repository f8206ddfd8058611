import { writeFileSync } from 'node:fs'
import { readFile, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, test } from '@jest/globals'
import { BitsError } from 'express-bits-upload'
import { uploadFile } from 'express-bits-upload/client'
import { fixtures } from '../support/fixtures.js'
import { ack, faulty, type Reply, received, refuse, wellBehaved } from '../support/scripted-server.js'
import { clientError, FAST, withFile, withServer } from '../support/upload-fixture.js'

const { start, directory } = fixtures()
const EMPTY = 'Fragment bytes */0'

describe('an empty file and the middleware', () => {
  test('the reply arrives, the application is called once, and the file is published', async () => {
    const folder = await directory()
    const sizes: number[] = []
    const onUpload = ({ size }: { size: number }): string => {
      sizes.push(size)
      return 'reply for empty'
    }
    const { origin } = await start({ directory: folder, onUpload })
    await withFile(0, async ({ path }) => {
      const { reply, bytes } = await uploadFile(path, `${origin}/uploads/a.bin`)
      expect(String(reply)).toBe('reply for empty')
      expect(bytes).toBe(0)
      expect(sizes).toEqual([0])
      expect(await readFile(join(folder, 'a.bin'))).toHaveLength(0)
    })
  })

  test('a refusal by the application is reported, and not mistaken for one of the range', async () => {
    const folder = await directory()
    let calls = 0
    const onUpload = (): never => {
      calls += 1
      throw new BitsError({ status: 400 }, 'No empty files.')
    }
    const { origin } = await start({ directory: folder, onUpload })
    await withFile(0, async ({ path }) => {
      const error = await clientError(uploadFile(path, `${origin}/uploads/a.bin`, FAST))
      expect(error).toMatchObject({ packet: 'Fragment', status: 400, context: 'server application' })
      expect(calls).toBe(1)
    })
  })
})

describe('the empty fragment', () => {
  const upload = (script: Parameters<typeof withServer>[0]) =>
    withFile(0, ({ path }) =>
      withServer(script, async (server) => ({
        result: await uploadFile(path, server.url(), FAST),
        asked: server.asked,
      })),
    )

  test.each<[string, Reply]>([
    ['400 and E_INVALIDARG', refuse(400, '0x80070057')],
    ['a bare 400', { status: 400 }],
    ['a 416 that names no offset', ack({}, 416)],
    ['500 and E_INVALIDARG', refuse(500, '0x80070057')],
  ])('that is refused with %s is followed by Close-Session', async (_, answer) => {
    const { result, asked } = await upload(faulty('Fragment', answer))
    expect(result.bytes).toBe(0)
    expect(asked).toEqual(['Create-Session', EMPTY, 'Close-Session'])
  })

  test('is not sent again if its refusal ended the session', async () => {
    const lost = faulty('Close-Session', refuse(500, '0x8020001F'))
    const { asked } = await upload((request) =>
      request.headers['content-range'] ? refuse(400, '0x80070057') : lost(request),
    )
    expect(asked).toEqual(['Create-Session', EMPTY, 'Close-Session', 'Create-Session', 'Close-Session'])
  })

  test('is sent again if its response was lost', async () => {
    const { asked } = await upload(faulty('Fragment', 'drop'))
    expect(asked).toEqual(['Create-Session', EMPTY, 'Ping', EMPTY, 'Close-Session'])
  })

  test('is abandoned, and the session closed, if the server hangs up on it', async () => {
    const { result, asked } = await upload(faulty('Fragment', ...Array(20).fill('drop')))
    expect(result.bytes).toBe(0)
    expect(asked).toEqual(['Create-Session', EMPTY, 'Ping', EMPTY, 'Close-Session'])
  })

  test('is abandoned immediately with retries: 0', async () => {
    await withFile(0, ({ path }) =>
      withServer(faulty('Fragment', 'drop'), async (server) => {
        await uploadFile(path, server.url(), { ...FAST, retries: 0 })
        expect(server.asked).toEqual(['Create-Session', EMPTY, 'Close-Session'])
      }),
    )
  })

  test('is sent again while responses time out', async () => {
    await withFile(0, ({ path }) =>
      withServer(faulty('Fragment', 'silence', 'silence'), async (server) => {
        await uploadFile(path, server.url(), { ...FAST, responseTimeout: 50 })
        expect(server.asked.filter((packet) => packet === EMPTY)).toHaveLength(3)
      }),
    )
  })

  test('is not sent again because of Close-Session', async () => {
    const { asked } = await upload(faulty('Close-Session', 'drop'))
    expect(asked).toEqual(['Create-Session', EMPTY, 'Close-Session', 'Ping', 'Close-Session'])
  })

  test('is sent again in a new session', async () => {
    const { asked } = await upload(faulty('Close-Session', refuse(500, '0x8020001F')))
    expect(asked.slice(3)).toEqual(['Create-Session', EMPTY, 'Close-Session'])
  })

  test('is not sent for a file that has grown in the meantime', async () => {
    await withFile(0, ({ path }) =>
      withServer(wellBehaved, async (server) => {
        const onState = () => writeFileSync(path, 'grown')
        const error = await clientError(uploadFile(path, server.url(), { ...FAST, onState }))
        expect(error.message).toMatch(/has changed/)
        expect(server.asked).not.toContain(EMPTY)
        expect(server.asked).not.toContain('Close-Session')
      }),
    )
  })
})

describe('a resumed upload of an empty file', () => {
  const resumed = (replyUrl?: string) =>
    withFile(0, ({ path }) => {
      const upload = faulty('Fragment', received(0, { 'BITS-Reply-URL': 'r' }))
      return withServer(
        (request) => (request.method === 'GET' ? { body: 'late' } : upload(request)),
        async (server) => {
          const { mtimeMs: modified } = await stat(path)
          const resume = { sessionId: 'a', offset: 0, size: 0, modified, replyUrl }
          const { reply } = await uploadFile(path, server.url(), { ...FAST, resume })
          return { reply: String(reply), asked: server.asked }
        },
      )
    })

  test('sends the fragment again, because it may not have arrived', async () => {
    const { reply, asked } = await resumed()
    expect(reply).toBe('late')
    expect(asked).toEqual(['Ping', EMPTY, 'GET /uploads/r', 'Close-Session'])
  })

  test('fetches the reply immediately if it knows the URL', async () => {
    const { reply, asked } = await resumed('r')
    expect(reply).toBe('late')
    expect(asked).toEqual(['Ping', 'GET /uploads/r', 'Close-Session'])
  })
})
