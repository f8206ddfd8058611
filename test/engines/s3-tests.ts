import type { S3Client } from '@aws-sdk/client-s3'
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals'
import { S3Storage } from 'express-bits-upload/s3'
import { storageContract } from 'express-bits-upload/testing'
import { hashBody } from '../../lib/storage/s3/body-hash.js'
import { createContext } from '../../lib/storage/s3/context.js'
import { s3Settings } from '../../lib/storage/s3/options.js'
import { S3_LIMITS } from '../../lib/storage/s3/plan-parts.js'
import { probeHash } from '../../lib/storage/s3/probe-hash.js'
import { sample, send, uploadTo } from '../storage/s3/support.js'
import { clientOf, contentOf, newBucket, type S3Engine } from './s3-engine.js'

/** The tests of an S3Storage with a real service. */
export function testOnEngine(start: () => Promise<S3Engine>): void {
  let engine: S3Engine
  let client: S3Client
  const newStorage = async (assemble: 'copy' | 'stream') => {
    const bucket = await newBucket(client)
    const storage = new S3Storage({ client, bucket, assemble, exclusive: (_, work) => work() })
    return { storage, published: (destination: string) => contentOf(client, bucket, destination) }
  }

  beforeAll(async () => {
    engine = await start()
    client = clientOf(engine)
  }, 180_000)

  afterAll(async () => {
    client?.destroy()
    await engine?.stop()
  })

  test('the service verifies the hash of a body, whichever is sent', async () => {
    const bucketName = await newBucket(client)
    const context = createContext(s3Settings({ client, bucket: bucketName }), S3_LIMITS)
    expect(await probeHash(context)).toBe('sha256')
    for (const algorithm of ['sha256', 'md5'] as const) {
      const hash = hashBody(algorithm, Buffer.from('the bytes that arrived'))
      await context.bucket.put(algorithm, Buffer.from('the bytes that arrived'), { hash })
      const changed = context.bucket.put(algorithm, Buffer.from('the bytes that changed'), { hash })
      await expect(changed).rejects.toThrow(/answered 400 (BadDigest|XAmzContentSHA256Mismatch)/)
    }
  })

  for (const assemble of ['copy', 'stream'] as const) {
    storageContract(() => newStorage(assemble), {
      runner: { describe, test: (name, body) => test(name, body, 120_000) },
      name: `S3Storage with assemble ${assemble} as a storage`,
    })

    test.each([
      ['fragments of 13 MB', 30_000_000, 13_000_000],
      ['fragments of 1 MB', 11_000_000, 1_000_000],
      ['fragments of 5 KB', 40 * 5120, 5120],
      ['no fragment', 0, 5120],
    ])(
      `with assemble ${assemble} a file in %s arrives as it was, and nothing stays`,
      async (_, size, fragmentSize) => {
        const { storage, published } = await newStorage(assemble)
        await storage.open()
        const content = sample(size)
        const upload = uploadTo('deep/file ä.bin', size)
        await send(storage, upload, content, fragmentSize)
        const file = await storage.publish(upload, { overwrite: false })
        expect(await storage.publish(upload, { overwrite: false })).toEqual(file)
        await storage.discard(upload)
        expect(content.equals((await published('deep/file ä.bin')) ?? Buffer.from('nothing'))).toBe(true)
        const staged: string[] = []
        for await (const { uploadId } of storage.staged()) staged.push(uploadId)
        expect(staged).toEqual([])
      },
      120_000,
    )
  }
}
