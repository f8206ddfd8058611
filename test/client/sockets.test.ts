import { once } from 'node:events'
import { Agent, request } from 'node:http'
import { describe, expect, test } from '@jest/globals'
import { UploadJob, type UploadOptions, uploadFile } from 'express-bits-upload/client'
import { type Answer, ack, faulty, received, wellBehaved } from '../support/scripted-server.js'
import { clientError, FAST, KB, withFile, withServer } from '../support/upload-fixture.js'

/** Names a reply, and answers requests for it one by one. */
function replying(...answers: Answer[]) {
  const packets = faulty('Fragment', received(10, { 'BITS-Reply-URL': 'r' }))
  return (incoming: Parameters<typeof wellBehaved>[0]) =>
    incoming.method === 'GET' ? (answers.shift() ?? { body: 'reply' }) : packets(incoming)
}

describe('the socket of an unwanted response is free for the next request', () => {
  const html = { 'Content-Type': 'text/html' }
  test.each<[string, Answer]>([
    ['a 503 with a body', { status: 503, headers: html, body: 'later' }],
    ['a 503 with a large body', { status: 503, headers: html, body: Buffer.alloc(300 * KB) }],
    [
      'a reply in pieces that changed',
      { status: 206, headers: { 'Content-Range': 'bytes 5-9/10' }, body: 'later' },
    ],
  ])('%s', async (_, answer) => {
    await withFile(10, ({ path }) =>
      withServer(replying(answer), async (server) => {
        const { reply } = await uploadFile(path, server.url(), {
          ...FAST,
          signal: AbortSignal.timeout(10_000),
        })
        expect(String(reply)).toBe('reply')
        expect(server.asked.slice(-4)).toEqual(['GET /uploads/r', 'Ping', 'GET /uploads/r', 'Close-Session'])
      }),
    )
  })

  test("also on the caller's agent, and after a failure that ends the upload", async () => {
    const agent = new Agent({ keepAlive: true, maxSockets: 1 })
    await withFile(10, ({ path }) =>
      withServer(replying({ status: 404, body: 'gone' }), async (server) => {
        await clientError(uploadFile(path, server.url(), { ...FAST, agent }))
        const { reply } = await uploadFile(path, server.url(), {
          ...FAST,
          agent,
          signal: AbortSignal.timeout(10_000),
        })
        expect(reply).toBeUndefined()
        expect(Object.keys(agent.requests)).toEqual([])
      }),
    )
    agent.destroy()
  })
})

describe('a request that waits for a socket from its agent', () => {
  /** Uploads over an agent whose only socket serves a request that is never answered. */
  async function uploadQueued(bytes: number, options: UploadOptions, queueAt: 'start' | 'fragment') {
    const agent = new Agent({ keepAlive: true, maxSockets: 1 })
    const script = (incoming: Parameters<typeof wellBehaved>[0]) =>
      incoming.method === 'GET' ? ('silence' as const) : wellBehaved(incoming)
    return withFile(bytes, ({ path }) =>
      withServer(script, async (server) => {
        const occupy = () =>
          void request(server.url('/occupied'), { agent })
            .on('error', () => {})
            .end()
        if (queueAt === 'start') occupy()
        const job = new UploadJob(path, server.url(), {
          ...FAST,
          retries: 0,
          agent,
          cancelOnAbort: false,
          ...options,
          onState: (state) => {
            if (queueAt === 'fragment') occupy()
            options.onState?.(state)
          },
        })
        try {
          return await job.run().then(
            () => 'It did not fail.',
            (error: unknown) => error,
          )
        } finally {
          agent.destroy()
        }
      }),
    )
  }

  test('times out', async () => {
    const error = await uploadQueued(10, { sendTimeout: 100 }, 'start')
    expect(error).toMatchObject({ packet: 'Create-Session', fatal: false })
    expect(String(error)).toContain('did not take the request (Create-Session) within 100 ms')
  })

  test('times out in the middle of a body', async () => {
    const error = await uploadQueued(500 * KB, { sendTimeout: 100 }, 'fragment')
    expect(error).toMatchObject({ packet: 'Fragment', fatal: false })
  })

  test.each(['start', 'fragment'] as const)('ends when the signal aborts (%s)', async (queueAt) => {
    const signal = AbortSignal.timeout(200)
    expect(await uploadQueued(500 * KB, { signal }, queueAt)).toMatchObject({ name: 'TimeoutError' })
  })

  test('is not even sent when the signal has aborted', async () => {
    const controller = new AbortController()
    const { signal } = controller
    const onState = () => controller.abort(new Error('Enough.'))
    const error = await uploadQueued(500 * KB, { signal, onState, sendTimeout: 60_000 }, 'fragment')
    expect(error).toEqual(new Error('Enough.'))
  }, 10_000)

  test('leaves nothing behind that would take the socket when it becomes free', async () => {
    const agent = new Agent({ keepAlive: true, maxSockets: 1 })
    const slow = (incoming: Parameters<typeof wellBehaved>[0]): Answer =>
      incoming.method === 'GET' ? { ...ack(), delay: 500 } : wellBehaved(incoming)
    await withFile(10, ({ path }) =>
      withServer(slow, async (server) => {
        const occupant = request(server.url('/occupied'), { agent }).end()
        occupant.on('response', (response) => void response.resume())
        await clientError(uploadFile(path, server.url(), { ...FAST, retries: 0, agent, sendTimeout: 50 }))
        await once(occupant, 'close')
        await uploadFile(path, server.url(), { ...FAST, agent, signal: AbortSignal.timeout(10_000) })
        expect(server.asked).toEqual([
          'GET /occupied',
          'Create-Session',
          'Fragment bytes 0-9/10',
          'Close-Session',
        ])
      }),
    )
    agent.destroy()
  })
})
