import { describe, expect, jest, test } from '@jest/globals'
import { type S3Storage, S3Storage as Storage } from 'express-bits-upload/s3'
import { BUCKET, type FakeS3 } from '../../support/fake-s3/fake-s3.js'
import { Fault } from '../../support/fake-s3/fault.js'
import type { Rules } from '../../support/fake-s3/rules.js'
import { send, uploadTo, withS3 } from './support.js'

/** The warnings that the process emits while `work` runs. */
async function warningsOf(work: () => Promise<void>): Promise<string[]> {
  const emitWarning = jest.spyOn(process, 'emitWarning').mockImplementation(() => {})
  try {
    await work()
    return emitWarning.mock.calls
      .map(([message]) => String(message))
      .filter((text) => text.startsWith('S3Storage'))
  } finally {
    emitWarning.mockRestore()
  }
}

const storageWith = (s3: FakeS3, options = {}): S3Storage =>
  new Storage({ client: s3.client('client', { maxAttempts: 1 }), bucket: BUCKET, ...options })

describe('when a storage opens', () => {
  test.each<[string, Partial<Rules>]>([
    ['refuses', { put: 'refused', copy: 'refused', complete: 'refused' }],
    ['ignores', { put: 'ignored', copy: 'ignored', complete: 'ignored' }],
  ])('it warns of a service that %s conditions, once', async (_, rules) => {
    await withS3(rules, async (s3) => {
      const storage = storageWith(s3)
      const warnings = await warningsOf(async () => {
        await storage.open()
        await storage.open()
      })
      expect(warnings).toEqual([
        expect.stringMatching(/"uploads" does not always honor If-None-Match.*option exclusive/),
      ])
      expect(s3.objects.keys).toEqual([])
      expect(s3.multiparts.open).toEqual([])
    })
  })

  test('it does not warn if conditions are honored, or a lock is passed', async () => {
    await withS3({}, async (s3) => {
      expect(await warningsOf(() => storageWith(s3).open())).toEqual([])
      expect(s3.objects.keys).toEqual([])
      expect(s3.multiparts.open).toEqual([])
    })
    await withS3({ complete: 'ignored' }, async (s3) => {
      const exclusive = <T>(_: string, work: () => Promise<T>) => work()
      expect(await warningsOf(() => storageWith(s3, { exclusive }).open())).toEqual([])
    })
  })

  test.each([true, false])(
    'it leaves nothing behind if the service verifies hashes: %s',
    async (verifies) => {
      await withS3({ verifiesSha256: verifies }, async (s3) => {
        await storageWith(s3).open()
        expect(s3.objects.keys).toEqual([])
        expect(s3.received.at(-1)?.operation).toBe(verifies ? 'PutObject' : 'DeleteObject')
      })
    },
  )

  test('it uses MD5 if the service cannot tell at that moment whether it verifies the SHA-256', async () => {
    await withS3({}, async (s3) => {
      const storage = storageWith(s3)
      s3.trouble = ({ operation, md5 }) =>
        operation === 'PutObject' && md5 === undefined ? new Fault(503, 'SlowDown') : undefined
      await storage.open()
      s3.trouble = () => undefined
      await send(storage, uploadTo('a.bin', 5), Buffer.from('bytes'), 5)
      expect(s3.received.at(-1)).toMatchObject({ operation: 'PutObject', md5: expect.any(String) })
    })
  })

  test('it fails if the bucket does not exist or cannot be used, and can be opened later', async () => {
    await withS3({}, async (s3) => {
      await expect(storageWith(s3, { bucket: 'missing' }).open()).rejects.toThrow('NoSuchBucket')
      const storage = storageWith(s3)
      s3.trouble = () => new Fault(403, 'AccessDenied')
      await expect(storage.open()).rejects.toThrow('PutObject of "uploads/BITS-Sessions/probe/')
      await expect(storage.check()).rejects.toThrow('HeadBucket')
      s3.trouble = () => undefined
      await storage.open()
      await storage.check()
    })
  })
})

describe('the options of an S3Storage', () => {
  test.each([
    [{ bucket: '' }, 'the option bucket is "": use a name'],
    [
      { client: {} },
      'the option client is an object: use an S3Client of @aws-sdk/client-s3; it lacks send()',
    ],
    [{ stagingPrefix: 'no slash' }, 'a prefix that ends with a slash'],
    [{ segmentSize: 1000 }, 'the option segmentSize is 1000: use a whole number of bytes, from 5242880'],
    [{ timeout: 0 }, 'a whole number of milliseconds, from 1'],
    [{ assemble: 'both' }, "use 'copy' or 'stream'"],
    [{ Bucket: 'x' }, 'did you mean bucket?'],
  ])('%j are refused with a message', async (wrong, sentence) => {
    await withS3({}, async (s3) => {
      expect(() => storageWith(s3, wrong)).toThrow(sentence)
    })
  })

  test('invalid results of object and key are named', async () => {
    await withS3({}, async (s3) => {
      const upload = { uploadId: '0'.repeat(32), destination: 'a' }
      const typo = storageWith(s3, { object: () => ({ contentType: 'text/plain' }) })
      await expect(typo.publish(upload, { overwrite: false })).rejects.toThrow(
        'object() returned the unknown setting contentType',
      )
      const keyless = storageWith(s3, { key: () => undefined })
      await expect(keyless.has('a')).rejects.toThrow('key("a") returned undefined: return a key')
    })
  })
})
