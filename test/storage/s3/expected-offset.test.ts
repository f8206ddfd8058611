import { Readable } from 'node:stream'
import { describe, expect, jest, test } from '@jest/globals'
import type { StagedUpload } from 'express-bits-upload'
import type { S3Storage } from 'express-bits-upload/s3'
import type { FakeS3 } from '../../support/fake-s3/fake-s3.js'
import { Fault } from '../../support/fake-s3/fault.js'
import { until } from '../../support/soak.js'
import { MIB, never, openStorage, sample, send, stagedKeys, uploadTo, withS3 } from './support.js'

const listings = (s3: FakeS3): number =>
  s3.received.filter(({ operation }) => operation === 'ListObjectsV2').length

/** Appends a part of the sample, and returns the staged length. */
async function append(
  storage: S3Storage,
  upload: StagedUpload,
  [start, end]: readonly [number, number],
): Promise<number> {
  return storage.append(upload, start, Readable.from([sample(end).subarray(start)]), never)
}

/** Two servers, and an upload of 5,000 bytes whose first 1,000 "ours" has received. */
async function continuedByAny(s3: FakeS3) {
  const [ours, other] = [await openStorage(s3), await openStorage(s3)]
  const upload = uploadTo('file.bin', 5000)
  ours.begin(upload)
  expect(await append(ours, upload, [0, 1000])).toBe(1000)
  return { ours, other, upload }
}

describe('the offset at which a fragment begins', () => {
  test('is not looked up if this process staged exactly that, whatever the size of the fragments', async () => {
    for (const size of [1000, 6 * MIB]) {
      await withS3({}, async (s3) => {
        const storage = await openStorage(s3)
        const upload = uploadTo('file.bin', 6 * size)
        await send(storage, upload, sample(6 * size), size)
        // send() looks up the length once, before the first fragment.
        expect(listings(s3)).toBe(1)
        await storage.publish(upload, { overwrite: false })
        expect(s3.objects.find('file.bin')?.bytes.equals(sample(6 * size))).toBe(true)
      })
    }
  })

  test('is not looked up before the first fragment if this process began the upload', async () => {
    await withS3({}, async (s3) => {
      const storage = await openStorage(s3)
      const upload = uploadTo('file.bin', 2000)
      storage.begin(upload)
      expect(await storage.received(upload, 0)).toBe(0)
      expect(await append(storage, upload, [0, 1000])).toBe(1000)
      expect(await storage.received(upload, 1000)).toBe(1000)
      expect(listings(s3)).toBe(0)

      const other = await openStorage(s3)
      expect(await other.received(upload, 0)).toBe(1000)
    })
  })

  test('is looked up if the client continues elsewhere, because another process may have received more', async () => {
    await withS3({}, async (s3) => {
      const { ours, other, upload } = await continuedByAny(s3)
      expect(await other.received(upload, 1000)).toBe(1000)
      expect(await append(other, upload, [1000, 3000])).toBe(3000)
      for (const expected of [3000, 999, 1001, undefined]) {
        expect(await ours.received(upload, expected)).toBe(3000)
      }
    })
  })

  test('may be below what is staged: bytes that are sent again change nothing', async () => {
    await withS3({}, async (s3) => {
      const { ours, other, upload } = await continuedByAny(s3)
      // The client does not receive the Ack of this one.
      await append(other, upload, [1000, 4000])
      expect(await ours.received(upload, 1000)).toBe(1000)
      expect(await append(ours, upload, [1000, 2000])).toBe(2000)
      expect(await ours.received(upload, 2000)).toBe(2000)
      expect(await append(ours, upload, [2000, 5000])).toBe(5000)
      await ours.publish(upload, { overwrite: false })
      expect(s3.objects.find('file.bin')?.bytes.equals(sample(5000))).toBe(true)
    })
  })

  test('is looked up after an append at another offset, and after one that failed', async () => {
    await withS3({}, async (s3) => {
      const storage = await openStorage(s3, { maxAttempts: 1 })
      const upload = uploadTo('file.bin', 5000)
      storage.begin(upload)
      await append(storage, upload, [0, 1000])
      await append(storage, upload, [1000, 3000])
      // A process that was suspended.
      await append(storage, upload, [0, 2000])
      expect(await storage.received(upload, 2000)).toBe(3000)

      s3.trouble = ({ operation }) =>
        operation === 'PutObject' ? new Fault(500, 'InternalError') : undefined
      await expect(append(storage, upload, [3000, 4000])).rejects.toThrow()
      s3.trouble = () => undefined
      const [newest = ''] = stagedKeys(s3)
      s3.objects.delete(newest)
      expect(await storage.received(upload, 3000)).toBe(2000)
    })
  })

  test('is looked up again after a minute, in which another server may have received much more', async () => {
    await withS3({}, async (s3) => {
      const { ours, other, upload } = await continuedByAny(s3)
      await append(other, upload, [1000, 4000])
      const now = Date.now()
      const clock = jest.spyOn(Date, 'now')
      try {
        clock.mockReturnValue(now + 59_000)
        expect(await ours.received(upload, 1000)).toBe(1000)
        clock.mockReturnValue(now + 62_000)
        expect(await ours.received(upload, 1000)).toBe(4000)
        const before = listings(s3)
        expect(await ours.received(upload, 4000)).toBe(4000)
        expect(listings(s3)).toBe(before)
        // The clock was set back.
        clock.mockReturnValue(now)
        expect(await ours.received(upload, 4000)).toBe(4000)
        expect(listings(s3)).toBe(before + 1)
      } finally {
        clock.mockRestore()
      }
    })
  })

  test('is looked up after a discard, even if the length was being looked up for a page meanwhile', async () => {
    await withS3({}, async (s3) => {
      const client = s3.client()
      let isListed = false
      let deliver = () => {}
      const delivered = new Promise<void>((resolve) => {
        deliver = resolve
      })
      // The response to the first listing is delayed.
      client.middlewareStack.add(
        (next, { commandName }) =>
          async (args) => {
            const output = await next(args)
            if (commandName !== 'ListObjectsV2Command' || isListed) return output
            isListed = true
            await delivered
            return output
          },
        { step: 'initialize' },
      )
      const storage = await openStorage(s3, { client })
      const upload = uploadTo('file.bin', 5000)
      storage.begin(upload)
      await append(storage, upload, [0, 1000])
      const forPage = storage.received(upload)
      await until(() => isListed)
      await storage.discard(upload)
      deliver()
      expect(await forPage).toBe(1000)
      expect(await storage.received(upload, 1000)).toBe(0)
    })
  })

  test('is looked up if it was forgotten, because too many uploads are open', async () => {
    await withS3({}, async (s3) => {
      const storage = await openStorage(s3)
      const upload = uploadTo('file.bin', 5000)
      storage.begin(upload)
      await append(storage, upload, [0, 1000])
      for (let id = 2; id < 1001; id++) storage.begin(uploadTo('other.bin', 1, id))
      expect(await storage.received(upload, 1000)).toBe(1000)
      expect(listings(s3)).toBe(0)
      storage.begin(uploadTo('other.bin', 1, 1001))
      expect(await storage.received(upload, 1000)).toBe(1000)
      expect(listings(s3)).toBe(1)
    })
  })

  test('is looked up once publication has found bytes missing', async () => {
    await withS3({}, async (s3) => {
      const storage = await openStorage(s3)
      const upload = uploadTo('file.bin', 18 * MIB)
      await send(storage, upload, sample(18 * MIB), 6 * MIB)
      const middle = stagedKeys(s3).find((key) =>
        key.includes(`-${(6 * MIB).toString(16).padStart(14, '0')}-`),
      )
      s3.objects.delete(middle ?? '')
      await expect(storage.publish(upload, { overwrite: false })).rejects.toThrow()
      expect(await storage.received(upload, 18 * MIB)).toBe(6 * MIB)
    })
  })

  test('is forgotten when the small segments could not be merged', async () => {
    await withS3({}, async (s3) => {
      const [ours, other] = [await openStorage(s3), await openStorage(s3)]
      const upload = uploadTo('file.bin', 40_000)
      ours.begin(upload)
      for (let start = 0; start < 31_000; start += 1000) await append(ours, upload, [start, start + 1000])
      // The other process merges what this one remembers.
      await other.received(upload, 31_000)
      await append(other, upload, [31_000, 32_000])
      await append(ours, upload, [31_000, 33_000])
      const before = listings(s3)
      expect(await ours.received(upload, 33_000)).toBe(33_000)
      expect(listings(s3)).toBe(before + 1)
      await append(ours, upload, [33_000, 40_000])
      await ours.publish(upload, { overwrite: false })
      expect(s3.objects.find('file.bin')?.bytes.equals(sample(40_000))).toBe(true)
    })
  })
})
