import { Readable } from 'node:stream'
import type { S3Client } from '@aws-sdk/client-s3'
import { Upload } from '@aws-sdk/lib-storage'
import { S3Storage } from '../../lib/storage/s3/s3-storage.js'
import { clientOf, newBucket } from '../engines/s3-engine.js'
import { hasSwift, startSwift } from '../engines/swift.js'
import { MIB } from './contenders.js'
import type { Target } from './report.js'

export const S3_TITLE = "One large file in S3, compared with the SDK's own Upload"

const FRAGMENT = 13 * MIB
const CHUNK = 64 * 1024

/** A way to store the file. Returns the seconds it took. */
type Store = (number: number) => Promise<number>

/**
 * Stores a file on OpenStack Swift with {@link S3Storage} and with the SDK's `Upload`, in turn.
 *
 * @returns nothing if Swift is not installed.
 */
export async function measureS3(size: number, rounds: number): Promise<Target[]> {
  if (!hasSwift()) return []
  const engine = await startSwift()
  const client = clientOf(engine)
  try {
    const bucket = await newBucket(client)
    const content = Buffer.alloc(size, 'content')
    const sdk = withSdk(client, bucket, content)
    const storage = await withStorage(client, bucket, content)
    const ratios: number[] = []
    for (let round = -1; round < rounds; round++) {
      const isReversed = round % 2 !== 0
      const first = await (isReversed ? storage : sdk)(round + 1)
      const second = await (isReversed ? sdk : storage)(round + 1)
      if (round >= 0) ratios.push(isReversed ? second / first : first / second)
    }
    const ratio = ratios.sort((a, b) => a - b)[Math.floor(rounds / 2)] ?? 0
    const text = "S3Storage: throughput relative to the SDK's Upload, at least 0.7"
    return [{ text, measured: ratio.toFixed(2), reached: ratio >= 0.7 }]
  } finally {
    client.destroy()
    await engine.stop()
  }
}

const withSdk =
  (client: S3Client, bucket: string, content: Buffer): Store =>
  (number) =>
    secondsOf(async () => {
      const Body = bodyOf(content)
      await new Upload({ client, params: { Bucket: bucket, Key: `sdk-${number}.bin`, Body } }).done()
    })

async function withStorage(client: S3Client, bucket: string, content: Buffer): Promise<Store> {
  const storage = new S3Storage({ client, bucket, exclusive: (_, work) => work() })
  await storage.open()
  const { signal } = new AbortController()
  return async (number) => {
    const uploadId = number.toString(16).padStart(32, '0')
    const upload = { uploadId, destination: `storage-${number}.bin`, total: content.length }
    const seconds = await secondsOf(async () => {
      for (let offset = 0; offset < content.length; offset = await storage.received(upload)) {
        await storage.append(upload, offset, bodyOf(content.subarray(offset, offset + FRAGMENT)), signal)
      }
      await storage.publish(upload, { overwrite: false })
    })
    await storage.discard(upload)
    return seconds
  }
}

function bodyOf(content: Buffer): Readable {
  const chunks = Array.from({ length: Math.ceil(content.length / CHUNK) }, (_, n) =>
    content.subarray(n * CHUNK, (n + 1) * CHUNK),
  )
  return Readable.from(chunks)
}

async function secondsOf(work: () => Promise<void>): Promise<number> {
  const start = performance.now()
  await work()
  return (performance.now() - start) / 1000
}
