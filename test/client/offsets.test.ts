import { describe, expect, test } from '@jest/globals'
import { uploadFile } from 'express-bits-upload/client'
import fc from 'fast-check'
import { faulty, rangeOf, received, wellBehaved } from '../support/scripted-server.js'
import { clientError, contentOf, FAST, KB, withFile, withServer } from '../support/upload-fixture.js'

const SIZE = 20_480
const OPTIONS = { ...FAST, fragmentSize: 5120 }

describe('the offset that an Ack names', () => {
  test.each([200, 416])('is followed if it is lower (status %d)', async (status) => {
    await withFile(SIZE, ({ path }) =>
      withServer(faulty('Fragment', received(5120), received(100, {}, status)), async (server) => {
        await uploadFile(path, server.url(), OPTIONS)
        expect(server.asked.slice(2, 5)).toEqual([
          `Fragment bytes 5120-10239/${SIZE}`,
          `Fragment bytes 100-5219/${SIZE}`,
          `Fragment bytes 5220-10339/${SIZE}`,
        ])
      }),
    )
  })

  test.each([200, 416])('is followed if it is higher (status %d)', async (status) => {
    await withFile(SIZE, ({ path }) =>
      withServer(faulty('Fragment', received(9000, {}, status)), async (server) => {
        await uploadFile(path, server.url(), OPTIONS)
        expect(server.asked.slice(1, 3)).toEqual([
          `Fragment bytes 0-5119/${SIZE}`,
          `Fragment bytes 9000-14119/${SIZE}`,
        ])
      }),
    )
  })

  test('ends the upload if it is the size of the file, even with 416', async () => {
    await withFile(SIZE, ({ path }) =>
      withServer(faulty('Fragment', received(SIZE, {}, 416)), async (server) => {
        await uploadFile(path, server.url(), OPTIONS)
        expect(server.asked).toEqual(['Create-Session', `Fragment bytes 0-5119/${SIZE}`, 'Close-Session'])
      }),
    )
  })

  test('is an error beyond the end of the file', async () => {
    await withFile(SIZE, ({ path }) =>
      withServer(faulty('Fragment', received(SIZE + 1)), async (server) => {
        const error = await clientError(uploadFile(path, server.url(), OPTIONS))
        expect(error).toMatchObject({ fatal: true, packet: 'Fragment' })
        expect(error.message).toBe('The server claims 20481 bytes of a file of 20480.')
        expect(server.requests).toHaveLength(2)
      }),
    )
  })

  test('that never advances makes the client give up after its retries', async () => {
    const stuck = (status: number) => (request: Parameters<typeof wellBehaved>[0]) =>
      request.headers['content-range'] ? received(0, {}, status) : wellBehaved(request)
    for (const status of [200, 416]) {
      await withFile(SIZE, ({ path }) =>
        withServer(stuck(status), async (server) => {
          const error = await clientError(uploadFile(path, server.url(), { ...OPTIONS, retries: 4 }))
          expect(error.fatal).toBe(true)
          expect(server.requests.filter(({ headers }) => headers['content-range'])).toHaveLength(5)
        }),
      )
    }
  })

  test('that goes back and forth makes the client give up, too', async () => {
    let far = false
    await withFile(SIZE, ({ path }) =>
      withServer(
        (request) => {
          if (!request.headers['content-range']) return wellBehaved(request)
          far = !far
          return received(far ? 5120 : 0)
        },
        async (server) => {
          const error = await clientError(uploadFile(path, server.url(), { ...OPTIONS, retries: 4 }))
          expect(error.message).toMatch(/made no progress 5 times in a row/)
        },
      ),
    )
  })

  test('may be far back: sending bytes again does not count as a failure', async () => {
    await withFile(50 * 5120, ({ path, content }) =>
      withServer(
        (() => {
          let count = 0
          return (request: Parameters<typeof wellBehaved>[0]) =>
            request.headers['content-range'] && ++count === 45 ? received(0) : wellBehaved(request)
        })(),
        async (server) => {
          await uploadFile(path, server.url(), { ...OPTIONS, retries: 0 })
          const bodies = server.requests.slice(-51, -1).map(({ body }) => body)
          expect(Buffer.concat(bodies).equals(content)).toBe(true)
        },
      ),
    )
  })

  test('may change in any way: each fragment starts there with the right bytes, and every byte is sent', async () => {
    const offsets = fc.array(fc.record({ offset: fc.nat(SIZE), gap: fc.boolean() }), { maxLength: 8 })
    const content = contentOf(SIZE)
    await withFile(SIZE, async ({ path }) => {
      await fc.assert(
        fc.asyncProperty(offsets, async (steps) => {
          const replies = steps.map(({ offset, gap }) => received(offset, {}, gap ? 416 : 200))
          await withServer(faulty('Fragment', ...replies), async (server) => {
            await uploadFile(path, server.url(), OPTIONS)
            const fragments = server.requests.filter(({ headers }) => headers['content-range'])
            let wanted = 0
            fragments.forEach((fragment, i) => {
              const { first, last, total } = rangeOf(fragment)
              expect({ first, total }).toEqual({ first: wanted, total: SIZE })
              expect(fragment.body.equals(content.subarray(first, last + 1))).toBe(true)
              wanted = steps[i]?.offset ?? last + 1
            })
            expect(wanted).toBe(SIZE)
            expect(server.asked.at(-1)).toBe('Close-Session')
          })
        }),
        { numRuns: 60 },
      )
    })
  })
})

test('a fragment of many kilobytes arrives complete', async () => {
  await withFile(700 * KB + 1, ({ path, content }) =>
    withServer(wellBehaved, async (server) => {
      await uploadFile(path, server.url())
      expect(server.requests[1]?.body.equals(content)).toBe(true)
    }),
  )
})
