import { describe, expect, test } from '@jest/globals'
import { uploadFile } from 'express-bits-upload/client'
import { refuse, type Script, wellBehaved } from '../support/scripted-server.js'
import { clientError, FAST, KB, withFile, withServer } from '../support/upload-fixture.js'

const tooLarge =
  (limit: number): Script['answer'] =>
  (request) =>
    request.body.length > limit ? refuse(413) : wellBehaved(request)

const lengths = (asked: { headers: Readonly<Record<string, string>> }[]) =>
  asked
    .filter(({ headers }) => headers['content-range'])
    .map(({ headers }) => Number(headers['content-length']))

describe('413', () => {
  test('halves the fragments permanently', async () => {
    await withFile(50 * KB, ({ path }) =>
      withServer(tooLarge(10 * KB), async (server) => {
        await uploadFile(path, server.url(), { ...FAST, fragmentSize: 40 * KB })
        expect(lengths(server.requests).map((length) => length / KB)).toEqual([40, 20, 10, 10, 10, 10, 10])
        expect(server.asked).not.toContain('Ping')
      }),
    )
  })

  test('halves the size that was sent if that was below the maximum', async () => {
    await withFile(16 * KB, ({ path }) =>
      withServer(tooLarge(8 * KB), async (server) => {
        await uploadFile(path, server.url(), FAST)
        expect(lengths(server.requests)).toEqual([16 * KB, 8 * KB, 8 * KB])
      }),
    )
  })

  test('never makes them smaller than 5 KB, then gives up', async () => {
    await withFile(50 * KB, ({ path }) =>
      withServer(tooLarge(100), async (server) => {
        const error = await clientError(uploadFile(path, server.url(), { ...FAST, fragmentSize: 16 * KB }))
        expect(lengths(server.requests)).toEqual([16 * KB, 8 * KB, 5 * KB])
        expect(error).toMatchObject({ status: 413, fatal: true, hresultName: 'BG_E_HTTP_ERROR_413' })
        expect(error.message).toBe('The server finds even a fragment of 5120 bytes too large (413).')
      }),
    )
  })

  test('is noticed while the fragment is still being sent', async () => {
    const script: Script = {
      head: (request) =>
        Number(request.headers['content-length']) > 64 * KB
          ? { ...refuse(413), headers: { ...refuse(413).headers, Connection: 'close', 'Content-Length': 0 } }
          : undefined,
      answer: wellBehaved,
    }
    await withFile(8 * 1024 * KB, ({ path }) =>
      withServer(script, async (server) => {
        const failures: (number | undefined)[] = []
        await uploadFile(path, server.url(), {
          ...FAST,
          fragmentSize: 8 * 1024 * KB,
          onFailure: ({ error }) => failures.push(error.status),
        })
        expect(failures).toEqual([413, 413, 413, 413, 413, 413, 413])
        expect(server.requests.filter(({ body }) => body.length > 0)).toHaveLength(128)
      }),
    )
  })
})

test('4 MiB is the default, and the last fragment is smaller', async () => {
  const size = 4 * 1024 * KB + 1
  await withFile(size, ({ path }) =>
    withServer(wellBehaved, async (server) => {
      await uploadFile(path, server.url())
      expect(lengths(server.requests)).toEqual([4 * 1024 * KB, 1])
    }),
  )
})
