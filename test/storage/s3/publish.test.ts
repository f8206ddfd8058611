import { text } from 'node:stream/consumers'
import { describe, expect, test } from '@jest/globals'
import { KeyedQueue } from '../../../lib/util/keyed-queue.js'
import type { FakeS3 } from '../../support/fake-s3/fake-s3.js'
import { Fault } from '../../support/fake-s3/fault.js'
import type { Rules } from '../../support/fake-s3/rules.js'
import { until } from '../../support/soak.js'
import { MIB, openStorage, sample, send, stagedKeys, storageOn, uploadTo, withS3 } from './support.js'

const IGNORED: Partial<Rules> = { put: 'ignored', copy: 'ignored', complete: 'ignored' }

/** A file of 11 MiB, which is assembled from parts. */
async function stageLarge(s3: FakeS3, name: string, id: number) {
  const storage = await openStorage(s3, { name })
  const content = sample(11 * MIB)
  const upload = uploadTo('large.bin', content.length, id)
  await send(storage, upload, content, 6 * MIB)
  return { storage, upload, content }
}

describe('a lost response', () => {
  test.each([
    ['PutObject', 0],
    ['CopyObject', 1000],
    ['CompleteMultipartUpload', 11 * MIB],
  ])('to %s: the file itself shows that it exists', async (operation, size) => {
    await withS3({}, async (s3) => {
      const storage = await openStorage(s3, { maxAttempts: 1 })
      const content = sample(size)
      const upload = uploadTo('a.bin', size)
      await send(storage, upload, content, 6 * MIB)
      s3.trouble = (request) =>
        request.operation === operation && request.key === 'a.bin' ? 'lose-answer' : undefined
      expect(await storage.publish(upload, { overwrite: false })).toMatchObject({ size })
      expect(s3.objects.find('a.bin')?.bytes.equals(content)).toBe(true)
      await storage.discard(upload)
      expect(stagedKeys(s3)).toEqual([])
      expect(s3.multiparts.open).toEqual([])
    })
  })

  test('is handled by the client: a second CopyObject finds the file of the first', async () => {
    await withS3({}, async (s3) => {
      const storage = await openStorage(s3, { maxAttempts: 3 })
      const upload = uploadTo('a.bin', 1000)
      await send(storage, upload, sample(1000), 1000)
      let lost = 0
      s3.trouble = ({ operation }) => (operation === 'CopyObject' && lost++ === 0 ? 'lose-answer' : undefined)
      expect(await storage.publish(upload, { overwrite: false })).toMatchObject({ size: 1000 })
      expect(lost).toBe(2)
    })
  })
})

describe('a publication that fails', () => {
  test.each(['UploadPartCopy', 'CompleteMultipartUpload', 'PutObject'] as const)(
    'at %s leaves no multipart upload, and can be tried again',
    async (operation) => {
      await withS3({}, async (s3) => {
        const { storage, upload, content } = await stageLarge(s3, 'one', 1)
        s3.trouble = (request) =>
          request.operation === operation ? new Fault(403, 'AccessDenied') : undefined
        await expect(storage.publish(upload, { overwrite: false })).rejects.toThrow('AccessDenied')
        expect(s3.objects.find('large.bin')).toBeUndefined()
        expect(s3.multiparts.open).toEqual([])
        expect(s3.inFlight).toBe(0)
        s3.trouble = () => undefined
        await storage.publish(upload, { overwrite: false })
        expect(s3.objects.find('large.bin')?.bytes.equals(content)).toBe(true)
      })
    },
  )

  test('because the service hangs ends in time, with no request left', async () => {
    await withS3({}, async (s3) => {
      const content = sample(11 * MIB)
      const upload = uploadTo('large.bin', content.length)
      await send(await openStorage(s3), upload, content, 6 * MIB)
      const storage = storageOn(s3, { timeout: 1000 })
      s3.trouble = ({ operation }) => (operation === 'UploadPartCopy' ? 'hang' : undefined)
      await expect(storage.publish(upload, { overwrite: false })).rejects.toMatchObject({ status: 503 })
      await until(() => s3.inFlight === 0)
      expect(s3.multiparts.open).toEqual([])
    })
  })

  test('because of a gap removes everything above it, so that the client sends it again', async () => {
    await withS3({}, async (s3) => {
      const storage = await openStorage(s3)
      const content = sample(4000)
      const upload = uploadTo('a.bin', 4000)
      await send(storage, upload, content, 1000)
      const second = stagedKeys(s3).find((key) => key.includes('-000000000003e8-'))
      s3.objects.delete(second ?? '')
      await expect(storage.publish(upload, { overwrite: false })).rejects.toThrow(
        '1000 are staged without a gap',
      )
      expect(await storage.received(upload)).toBe(1000)
      await send(storage, upload, content, 1000)
      await storage.publish(upload, { overwrite: false })
      expect(s3.objects.find('a.bin')?.bytes.equals(content)).toBe(true)
    })
  })
})

describe('a name that is taken in the meantime', () => {
  test.each<[string, Partial<Rules>]>([
    ['a service that honours conditions', {}],
    ['a service that ignores them, with a lock', IGNORED],
  ])('is not overwritten on %s', async (_, rules) => {
    await withS3(rules, async (s3) => {
      const locks = new KeyedQueue()
      const exclusive = <T>(key: string, work: () => Promise<T>) => locks.run(key, work)
      const contents = Array.from({ length: 4 }, (_, n) => sample(1000 + n))
      const results = await Promise.allSettled(
        contents.map(async (content, n) => {
          const storage = await openStorage(s3, { name: `server ${n}`.replace(' ', '-'), exclusive })
          const upload = uploadTo('a.bin', content.length, n + 1)
          await send(storage, upload, content, 600)
          return storage.publish(upload, { overwrite: false })
        }),
      )
      const won = contents.filter((_, n) => results[n]?.status === 'fulfilled')
      expect(won).toHaveLength(1)
      expect(s3.objects.find('a.bin')?.bytes.equals(won[0] ?? Buffer.alloc(0))).toBe(true)
      for (const result of results) {
        if (result.status === 'rejected') expect(result.reason).toMatchObject({ code: 'destination-taken' })
      }
    })
  })

  test('by a file that appeared while the parts were copied', async () => {
    await withS3({}, async (s3) => {
      const { storage, upload } = await stageLarge(s3, 'one', 1)
      s3.trouble = ({ operation }) => {
        if (operation === 'CompleteMultipartUpload') s3.objects.put('large.bin', Buffer.from('first'), {})
        return undefined
      }
      await expect(storage.publish(upload, { overwrite: false })).rejects.toMatchObject({
        code: 'destination-taken',
      })
      expect(s3.objects.find('large.bin')?.bytes.toString()).toBe('first')
      expect(s3.multiparts.open).toEqual([])
    })
  })
})

describe('a large number of segments', () => {
  test.each(['copy', 'stream'] as const)(
    'beyond the limit of one multipart upload, with %s',
    async (assemble) => {
      // Fewer than are merged while the file arrives.
      await withS3({ minPartSize: 1000, maxParts: 6 }, async (s3) => {
        const storage = await openStorage(s3, { assemble })
        const content = sample(29 * 1500 + 700)
        const upload = uploadTo('many.bin', content.length)
        await send(storage, upload, content, 1500)
        expect(stagedKeys(s3)).toHaveLength(30)
        await storage.publish(upload, { overwrite: false })
        expect(s3.objects.find('many.bin')?.bytes.equals(content)).toBe(true)
        await storage.discard(upload)
        expect(stagedKeys(s3)).toEqual([])
        expect(s3.multiparts.open).toEqual([])
      })
    },
  )
})

describe('a file', () => {
  test('gets the key and the settings from the options', async () => {
    await withS3({}, async (s3) => {
      const storage = await openStorage(s3, {
        stagingPrefix: 'unfinished/',
        key: (destination) => `inbox/${destination}`,
        object: () => ({ ContentType: 'text/xml', StorageClass: 'STANDARD_IA', Metadata: { from: 'bits' } }),
      })
      for (const [size, name] of [
        [0, 'none.xml'],
        [10, 'one.xml'],
        [3000, 'two.xml'],
      ] as const) {
        const upload = uploadTo(name, size, size + 1)
        await send(storage, upload, sample(size), 2000)
        expect(
          s3.objects.keys
            .filter((key) => !key.startsWith('inbox/'))
            .every((key) => key.startsWith('unfinished/')),
        ).toBe(true)
        const file = await storage.publish(upload, { overwrite: false })
        expect(file).toMatchObject({
          destination: name,
          size,
          details: { bucket: 'uploads', key: `inbox/${name}` },
        })
        expect(s3.objects.find(`inbox/${name}`)?.headers).toMatchObject({
          'content-type': 'text/xml',
          'x-amz-storage-class': 'STANDARD_IA',
          'x-amz-meta-from': 'bits',
          'x-amz-meta-bits-upload': upload.uploadId,
        })
        expect(await storage.has(name)).toBe(true)
      }
    })
  })

  test('with a key that is too long, or under the staging prefix, is refused before its bytes are sent', async () => {
    await withS3({}, async (s3) => {
      const storage = storageOn(s3, { key: (destination) => destination.replace('evil', 'BITS-Sessions') })
      await expect(storage.has(`${'d'.repeat(200)}/`.repeat(6))).rejects.toMatchObject({
        code: 'destination-refused',
      })
      await expect(storage.has('evil/x')).rejects.toMatchObject({ code: 'destination-refused' })
    })
  })

  test('with too few listed bytes is not read as a shorter file', async () => {
    await withS3({}, async (s3) => {
      const storage = await openStorage(s3, { maxAttempts: 1 })
      const upload = uploadTo('a.txt', 6)
      await send(storage, upload, Buffer.from('abcd'), 2)
      await expect(text(storage.read(upload))).rejects.toMatchObject({ code: 'staged-data-missing' })
      await expect(text(storage.read(uploadTo('b.txt', 6)))).rejects.toMatchObject({
        code: 'staged-data-missing',
      })
    })
  })

  test('is read piece by piece, and an incomplete response is continued', async () => {
    await withS3({}, async (s3) => {
      const storage = await openStorage(s3, { maxAttempts: 1 })
      const upload = uploadTo('a.txt', 6)
      await send(storage, upload, Buffer.from('abcdef'), 2)
      expect(await text(storage.read(upload))).toBe('abcdef')
      const stream = storage.read(upload)
      stream.destroy()
      await until(() => s3.inFlight === 0)
    })
  })
})
