import { appendFileSync, writeFileSync } from 'node:fs'
import { stat } from 'node:fs/promises'
import { describe, expect, test } from '@jest/globals'
import { UploadJob, type UploadState, uploadFile } from 'express-bits-upload/client'
import {
  ack,
  faulty,
  type Reply,
  received,
  refuse,
  SESSION_ID,
  wellBehaved,
} from '../support/scripted-server.js'
import { clientError, FAST, KB, withFile, withServer } from '../support/upload-fixture.js'

const SIZE = 20_480
const OPTIONS = { ...FAST, fragmentSize: 5120 }

/** Aborts once this many bytes are acknowledged. */
function abortAt(acknowledged: number, reason?: unknown) {
  const controller = new AbortController()
  return {
    signal: controller.signal,
    onProgress: (progress: { acknowledged: number }) => {
      if (progress.acknowledged >= acknowledged) controller.abort(reason)
    },
  }
}

describe('an aborted signal', () => {
  test('cancels the session and rejects with its reason', async () => {
    await withFile(SIZE, ({ path }) =>
      withServer(wellBehaved, async (server) => {
        const reason = new Error('Enough.')
        const run = uploadFile(path, server.url(), { ...OPTIONS, ...abortAt(5120, reason) })
        await expect(run).rejects.toBe(reason)
        expect(server.asked.filter((packet) => packet !== `Fragment bytes 5120-10239/${SIZE}`)).toEqual([
          'Create-Session',
          `Fragment bytes 0-5119/${SIZE}`,
          'Cancel-Session',
        ])
        expect(server.requests.at(-1)?.head).toContain(`BITS-Session-Id: ${SESSION_ID}\r\n`)
      }),
    )
  })

  test('interrupts a request without a response', async () => {
    await withFile(10, ({ path }) =>
      withServer(faulty('Fragment', 'silence'), async (server) => {
        const signal = AbortSignal.timeout(200)
        const run = uploadFile(path, server.url(), { ...OPTIONS, signal })
        await expect(run).rejects.toMatchObject({ name: 'TimeoutError' })
        expect(server.asked.at(-1)).toBe('Cancel-Session')
      }),
    )
  })

  test('interrupts the wait for a retry', async () => {
    await withFile(10, ({ path }) =>
      withServer(faulty('Fragment', 'drop'), async (server) => {
        const signal = AbortSignal.timeout(200)
        const slow = { minRetryDelay: 60_000, signal }
        await expect(uploadFile(path, server.url(), slow)).rejects.toMatchObject({ name: 'TimeoutError' })
        expect(server.asked.at(-1)).toBe('Cancel-Session')
      }),
    )
  })

  test('sends nothing when it was aborted before the start', async () => {
    await withFile(10, ({ path }) =>
      withServer(wellBehaved, async (server) => {
        await expect(uploadFile(path, server.url(), { signal: AbortSignal.abort('no') })).rejects.toBe('no')
        expect(server.asked).toEqual([])
      }),
    )
  })

  test('leaves the session alone with cancelOnAbort: false, and the upload can be resumed', async () => {
    await withFile(SIZE, ({ path, content }) =>
      withServer(wellBehaved, async (server) => {
        const states: string[] = []
        const onState = (state: UploadState) => states.push(JSON.stringify(state))
        const stop = { ...OPTIONS, ...abortAt(10_240), cancelOnAbort: false, onState }
        await expect(uploadFile(path, server.url(), stop)).rejects.toThrow()
        expect(server.asked).not.toContain('Cancel-Session')

        const before = server.requests.length
        const resume: UploadState = JSON.parse(states.at(-1) ?? '')
        expect(resume).toEqual({
          sessionId: SESSION_ID,
          offset: 10_240,
          size: SIZE,
          modified: (await stat(path)).mtimeMs,
        })
        expect(await uploadFile(path, server.url(), { ...OPTIONS, resume })).toEqual({
          sessionId: SESSION_ID,
          bytes: SIZE,
        })
        const resumed = server.requests.slice(before)
        expect(server.asked.slice(before)).toEqual([
          'Ping',
          `Fragment bytes 10240-15359/${SIZE}`,
          `Fragment bytes 15360-20479/${SIZE}`,
          'Close-Session',
        ])
        expect(Buffer.concat(resumed.map(({ body }) => body)).equals(content.subarray(10_240))).toBe(true)
      }),
    )
  })
})

describe('Cancel-Session', () => {
  const cancelled = async (...replies: Reply[]) =>
    withFile(SIZE, ({ path }) =>
      withServer(faulty('Cancel-Session', ...replies), async (server) => {
        const errors: unknown[] = []
        const onFailure = ({ error }: { error: unknown }) => errors.push(error)
        const reason = new Error('Enough.')
        const run = uploadFile(path, server.url(), { ...OPTIONS, ...abortAt(5120, reason), onFailure })
        await expect(run).rejects.toBe(reason)
        return { count: server.asked.filter((packet) => packet === 'Cancel-Session').length, errors }
      }),
    )

  test('is sent again a few times after 5xx and after a dropped connection', async () => {
    expect(await cancelled(refuse(500), 'drop')).toEqual({ count: 3, errors: [] })
    const { count, errors } = await cancelled('drop', 'drop', 'drop', 'drop')
    expect(count).toBe(3)
    expect(errors).toMatchObject([{ packet: 'Cancel-Session' }])
  })

  test('is not sent again after 4xx', async () => {
    expect(await cancelled(refuse(400))).toMatchObject({ count: 1, errors: [{ status: 400 }] })
  })

  test('accepts that the session no longer exists, and does not start over', async () => {
    expect(await cancelled(refuse(500, '0x8020001F'))).toEqual({ count: 1, errors: [] })
  })
})

describe('an UploadJob', () => {
  test('may run again after a failure, and resumes where it stopped', async () => {
    await withFile(SIZE, ({ path }) =>
      withServer(faulty('Fragment', received(5120), 'drop'), async (server) => {
        const job = new UploadJob(path, server.url(), { ...OPTIONS, retries: 0 })
        expect(job.state).toBeUndefined()
        await expect(job.run()).rejects.toThrow(/No response/)
        expect(job.state).toMatchObject({ sessionId: SESSION_ID, offset: 5120 })
        const before = server.asked.length
        await job.run()
        expect(server.asked.slice(before, before + 2)).toEqual(['Ping', `Fragment bytes 5120-10239/${SIZE}`])
        expect(job.state).toBeUndefined()
      }),
    )
  })

  test('can be cancelled after a failure, and then has nothing to resume', async () => {
    await withFile(SIZE, ({ path }) =>
      withServer(faulty('Fragment', refuse(403)), async (server) => {
        const job = new UploadJob(path, server.url(), OPTIONS)
        await expect(job.run()).rejects.toThrow()
        await job.cancel()
        await job.cancel()
        expect(server.asked.slice(-1)).toEqual(['Cancel-Session'])
        expect(server.asked).toHaveLength(3)
        expect(job.state).toBeUndefined()
      }),
    )
  })

  test('that was cancelled starts over, even if it was resumed', async () => {
    await withFile(10, ({ path }) =>
      withServer(wellBehaved, async (server) => {
        const { mtimeMs } = await stat(path)
        const resume = { sessionId: 'a', offset: 5, size: 10, modified: mtimeMs }
        const job = new UploadJob(path, server.url(), { ...OPTIONS, resume })
        await job.cancel()
        await job.run()
        expect(server.asked).toEqual([
          'Cancel-Session',
          'Create-Session',
          'Fragment bytes 0-9/10',
          'Close-Session',
        ])
      }),
    )
  })

  test('runs once at a time', async () => {
    await withFile(10, ({ path }) =>
      withServer(wellBehaved, async (server) => {
        const job = new UploadJob(path, server.url(), OPTIONS)
        const run = job.run()
        await expect(job.run()).rejects.toThrow('This upload is running; to stop it, abort its signal.')
        await run
      }),
    )
  })

  test('that was resumed before its first fragment asks the server for the offset', async () => {
    await withFile(SIZE, ({ path }) =>
      withServer(faulty('Fragment', received(15_360, {}, 416)), async (server) => {
        const { mtimeMs } = await stat(path)
        const resume = { sessionId: 'a', offset: 0, size: SIZE, modified: mtimeMs }
        await new UploadJob(path, server.url(), { ...OPTIONS, resume }).run()
        expect(server.asked).toEqual([
          'Ping',
          `Fragment bytes 0-5119/${SIZE}`,
          `Fragment bytes 15360-20479/${SIZE}`,
          'Close-Session',
        ])
      }),
    )
  })
})

describe('a file that changes', () => {
  test.each([
    ['grows', (path: string) => appendFileSync(path, 'x')],
    ['is cut', (path: string) => writeFileSync(path, 'short')],
    ['is rewritten', (path: string) => writeFileSync(path, Buffer.alloc(SIZE))],
  ])('while it is uploaded (%s) is fatal, and its session is cancelled', async (_, change) => {
    await withFile(SIZE, ({ path }) =>
      withServer(wellBehaved, async (server) => {
        const onState = ({ offset }: UploadState) => {
          if (offset === 5120) change(path)
        }
        const error = await clientError(uploadFile(path, server.url(), { ...OPTIONS, onState }))
        expect(error.message).toMatch(/has changed since its upload began/)
        expect(error.fatal).toBe(true)
        // The second fragment was never sent completely.
        expect(server.asked).toEqual(['Create-Session', `Fragment bytes 0-5119/${SIZE}`, 'Cancel-Session'])
      }),
    )
  })

  test('before it is resumed is fatal; the session of the other file is left alone', async () => {
    await withFile(SIZE, ({ path }) =>
      withServer(
        () => ack(),
        async (server) => {
          const resume = { sessionId: 'a', offset: 0, size: SIZE, modified: 1 }
          const error = await clientError(uploadFile(path, server.url(), { resume }))
          expect(error.message).toMatch(/has changed/)
          expect(server.asked).toEqual([])
        },
      ),
    )
  })

  test('when it is missing or a directory', async () => {
    await withFile(1, async ({ directory, path }) => {
      const missing = await clientError(uploadFile(`${path}.not`, 'http://127.0.0.1:1/'))
      expect(missing.message).toMatch(/^The file cannot be opened: ENOENT/)
      const folder = await clientError(uploadFile(directory, 'http://127.0.0.1:1/'))
      expect(folder.message).toMatch(/is not a file/)
    })
  })
})

describe('onProgress', () => {
  test('counts what was sent and what is acknowledged', async () => {
    await withFile(300 * KB, ({ path }) =>
      withServer(wellBehaved, async (server) => {
        const seen: string[] = []
        await uploadFile(path, server.url(), {
          fragmentSize: 200 * KB,
          onProgress: ({ sent, acknowledged, total }) =>
            seen.push([sent, acknowledged, total].map((bytes) => bytes / KB).join(' ')),
        })
        expect(seen).toEqual([
          '0 0 300',
          '128 0 300',
          '200 0 300',
          '200 200 300',
          '300 200 300',
          '300 300 300',
        ])
      }),
    )
  })

  test('that throws ends the upload; its error is the cause', async () => {
    await withFile(10, ({ path }) =>
      withServer(wellBehaved, async (server) => {
        const cause = new Error('Mine.')
        const onProgress = ({ sent }: { sent: number }) => {
          if (sent > 0) throw cause
        }
        const error = await clientError(uploadFile(path, server.url(), { ...FAST, onProgress }))
        expect(error).toMatchObject({ fatal: true, message: 'onProgress threw an error.', cause })
      }),
    )
  })
})
