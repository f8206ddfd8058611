import { describe, expect, jest, test } from '@jest/globals'
import type { FakeS3 } from '../../support/fake-s3/fake-s3.js'
import { Fault } from '../../support/fake-s3/fault.js'
import { until } from '../../support/soak.js'
import { openStorage, sample, send, stagedKeys, type storageOn, uploadTo, withS3 } from './support.js'

/** A service with small parts, so that large files need not be large. */
const SMALL_PARTS = { minPartSize: 1000 }
const FRAGMENT = 1500
const content = sample(5 * FRAGMENT + 700)
const upload = uploadTo('large.bin', content.length)

const count = (s3: FakeS3, wanted: string): number =>
  s3.received.filter(({ operation, key }) => operation === wanted && !key.includes('/probe/')).length

/** Sends the first fragments of the file, and waits until they have been copied. */
async function sendFirst(s3: FakeS3, fragments: number, options: Parameters<typeof storageOn>[1] = {}) {
  const storage = await openStorage(s3, { maxAttempts: 1, ...options })
  await send(storage, upload, content.subarray(0, fragments * FRAGMENT), FRAGMENT)
  await until(() => count(s3, 'UploadPartCopy') === fragments && s3.inFlight === 0)
  return storage
}

function expectFile(s3: FakeS3): void {
  expect(s3.objects.find('large.bin')?.bytes.equals(content)).toBe(true)
  expect(s3.multiparts.open).toEqual([])
}

describe('while a large file arrives', () => {
  test('its segments are copied, so that at the end only the last one is', async () => {
    await withS3(SMALL_PARTS, async (s3) => {
      const storage = await sendFirst(s3, 5)
      await send(storage, upload, content, FRAGMENT)
      expect(count(s3, 'UploadPartCopy')).toBe(5)
      await storage.publish(upload, { overwrite: false })
      expectFile(s3)
      expect(count(s3, 'UploadPartCopy')).toBe(6)
      expect(count(s3, 'CreateMultipartUpload')).toBe(1)
      await storage.discard(upload)
      expect(stagedKeys(s3)).toEqual([])
    })
  })

  test('its last segment is copied while the publication is prepared', async () => {
    await withS3(SMALL_PARTS, async (s3) => {
      const whole = content.subarray(0, 5 * FRAGMENT)
      const sized = uploadTo('large.bin', whole.length)
      const storage = await openStorage(s3, { maxAttempts: 1 })
      await send(storage, sized, whole.subarray(0, 4 * FRAGMENT), FRAGMENT)
      await until(() => count(s3, 'UploadPartCopy') === 4 && s3.inFlight === 0)
      let proceed = () => {}
      const delayed = new Promise<undefined>((resolve) => {
        proceed = () => resolve(undefined)
      })
      s3.trouble = ({ operation }) => (operation === 'UploadPartCopy' ? delayed : undefined)
      await send(storage, sized, whole, FRAGMENT)
      await until(() => count(s3, 'UploadPartCopy') === 5)
      const listed = count(s3, 'ListObjectsV2')
      const published = storage.publish(sized, { overwrite: false })
      await until(() => count(s3, 'ListObjectsV2') > listed)
      expect(count(s3, 'CompleteMultipartUpload')).toBe(0)
      proceed()
      await published
      expect(s3.objects.find('large.bin')?.bytes.equals(whole)).toBe(true)
      expect(s3.multiparts.open).toEqual([])
      expect(count(s3, 'UploadPartCopy')).toBe(5)
      expect(count(s3, 'CreateMultipartUpload')).toBe(1)
      await storage.discard(sized)
      expect(stagedKeys(s3)).toEqual([])
    })
  })

  test.each([
    ['has two segments', 2 * FRAGMENT, 'copy'],
    ['passes through the server', 5 * FRAGMENT, 'stream'],
  ] as const)('nothing is copied if it %s', async (_, total, assemble) => {
    await withS3(SMALL_PARTS, async (s3) => {
      const storage = await openStorage(s3, { assemble })
      const short = uploadTo('large.bin', total)
      await send(storage, short, content.subarray(0, total), FRAGMENT)
      await until(() => s3.inFlight === 0)
      expect(count(s3, 'UploadPartCopy')).toBe(0)
      expect(s3.multiparts.open).toEqual([])
      expect(stagedKeys(s3).filter((key) => key.includes('/p/'))).toEqual([])
    })
  })

  test('another server can take it over, whose file is not damaged by the first one', async () => {
    await withS3(SMALL_PARTS, async (s3) => {
      const first = await sendFirst(s3, 3)
      const second = await openStorage(s3, { name: 'second' })
      await send(second, upload, content, FRAGMENT)
      await second.publish(upload, { overwrite: false })
      expectFile(s3)
      const published = s3.objects.find('large.bin')
      await first.publish(upload, { overwrite: true })
      expect(s3.objects.find('large.bin')).toBe(published)
      await second.discard(upload)
      expect(stagedKeys(s3)).toEqual([])
    })
  })

  test('another server can take a part in it', async () => {
    await withS3(SMALL_PARTS, async (s3) => {
      const first = await sendFirst(s3, 3)
      const second = await openStorage(s3, { name: 'second' })
      await send(second, upload, content.subarray(0, 4 * FRAGMENT), FRAGMENT)
      await send(first, upload, content, FRAGMENT)
      await first.publish(upload, { overwrite: false })
      expectFile(s3)
      expect(count(s3, 'UploadPartCopy')).toBe(6)
      await first.discard(upload)
      expect(stagedKeys(s3)).toEqual([])
    })
  })

  test('it can be canceled, even while a segment is being copied', async () => {
    await withS3(SMALL_PARTS, async (s3) => {
      const storage = await openStorage(s3)
      let proceed = () => {}
      const delayed = new Promise<undefined>((resolve) => {
        proceed = () => resolve(undefined)
      })
      s3.trouble = ({ operation }) => (operation === 'CreateMultipartUpload' ? delayed : undefined)
      await send(storage, upload, content.subarray(0, 3 * FRAGMENT), FRAGMENT)
      const discarded = storage.discard(upload)
      proceed()
      await discarded
      expect(s3.inFlight).toBe(0)
      expect(s3.multiparts.open).toEqual([])
      expect(stagedKeys(s3)).toEqual([])
    })
  })

  test.each(['CreateMultipartUpload', 'PutObject', 'UploadPartCopy'] as const)(
    'a failure of %s has no effect on it',
    async (operation) => {
      await withS3(SMALL_PARTS, async (s3) => {
        const storage = await openStorage(s3, { maxAttempts: 1 })
        s3.trouble = (request) =>
          request.operation === operation && !request.key.includes('/s/')
            ? new Fault(403, 'AccessDenied')
            : undefined
        await send(storage, upload, content, FRAGMENT)
        const isOver = () =>
          s3.inFlight === 0 && s3.multiparts.open.length === 0 && stagedKeys(s3).length === 6
        await until(isOver)
        s3.trouble = () => undefined
        await storage.publish(upload, { overwrite: false })
        expectFile(s3)
      })
    },
  )

  test.each([
    ['key', { key: () => (moved ? 'large.bin' : 'old.bin') }],
    ['settings', { object: () => ({ ContentType: moved ? 'text/new' : 'text/old' }) }],
  ])('its %s may change: the copies are made again', async (_, options) => {
    await withS3(SMALL_PARTS, async (s3) => {
      moved = false
      const storage = await sendFirst(s3, 5, options)
      await send(storage, upload, content, FRAGMENT)
      moved = true
      await storage.publish(upload, { overwrite: false })
      expectFile(s3)
      expect(s3.objects.find('large.bin')?.headers['content-type']).not.toBe('text/old')
      expect(s3.objects.find('old.bin')).toBeUndefined()
      await storage.discard(upload)
      expect(stagedKeys(s3)).toEqual([])
    })
  })

  test('it may take days: a multipart upload that a lifecycle rule may have removed is not used', async () => {
    await withS3(SMALL_PARTS, async (s3) => {
      const storage = await sendFirst(s3, 5)
      await send(storage, upload, content, FRAGMENT)
      const later = Date.now() + 13 * 60 * 60 * 1000
      const now = jest.spyOn(Date, 'now').mockReturnValue(later)
      try {
        await storage.publish(upload, { overwrite: false })
      } finally {
        now.mockRestore()
      }
      expectFile(s3)
      expect(count(s3, 'UploadPartCopy')).toBe(5 + 6)
    })
  })

  test('a segment that has been replaced is copied again', async () => {
    await withS3(SMALL_PARTS, async (s3) => {
      const storage = await sendFirst(s3, 5)
      await send(storage, upload, content, FRAGMENT)
      const second = stagedKeys(s3).find((key) =>
        key.includes(`-${FRAGMENT.toString(16).padStart(14, '0')}-`),
      )
      s3.objects.delete(second ?? '')
      await expect(storage.publish(upload, { overwrite: false })).rejects.toThrow('without a gap')
      await send(storage, upload, content, FRAGMENT)
      await storage.publish(upload, { overwrite: false })
      expectFile(s3)
    })
  })
})

let moved = false
