import { Readable } from 'node:stream'
import type { S3Client } from '@aws-sdk/client-s3'
import { Upload } from '@aws-sdk/lib-storage'
import { S3Storage } from '../../lib/storage/s3/s3-storage.js'
import { clientOf, newBucket } from '../engines/s3-engine.js'
import { hasSwift, startSwift } from '../engines/swift.js'
import { MIB } from './contenders.js'
import { inTurn } from './measure.js'
import type { Target } from './report.js'

export const S3_TITLE = "One large file in S3, compared with the SDK's own Upload"

/** What Windows sends over a fast connection. */
const FRAGMENT = 13 * MIB
const CHUNK = 64 * 1024

/** A way to store the file under a name made from the number. Returns the seconds it took. */
type Store = (number: number) => Promise<number>

/**
 * Stores a file on OpenStack Swift with the SDK's `Upload`, which gets it as one stream, and with {@link S3Storage}: as
 * one fragment, and in fragments as Windows sends them. Each round takes them in the other order.
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
    const stores = [
      withSdk(client, bucket, content),
      await withStorage(client, bucket, content, size),
      await withStorage(client, bucket, content, FRAGMENT),
    ]
    const ratios: number[][] = stores.map(() => [])
    for (let round = -1; round < rounds; round++) {
      const seconds: number[] = []
      for (const [index, store] of inTurn(stores, round)) {
        seconds[index] = await store((round + 1) * stores.length + index)
      }
      const [sdk = 0] = seconds
      if (round < 0) continue
      for (const [index, one] of seconds.entries()) ratios[index]?.push(sdk / one)
    }
    const [, whole = [], fragments = []] = ratios
    return [target('one fragment', whole), target('fragments of 13 MiB', fragments)]
  } finally {
    client.destroy()
    await engine.stop()
  }
}

function target(how: string, ratios: readonly number[]): Target {
  const ratio = [...ratios].sort((a, b) => a - b)[Math.floor(ratios.length / 2)] ?? 0
  const text = `S3Storage, ${how}: throughput relative to the SDK's Upload, at least 0.7`
  return { text, measured: ratio.toFixed(2), reached: ratio >= 0.7 }
}

const withSdk =
  (client: S3Client, bucket: string, content: Buffer): Store =>
  (number) =>
    secondsOf(async () => {
      const Body = bodyOf(content)
      await new Upload({ client, params: { Bucket: bucket, Key: `sdk-${number}.bin`, Body } }).done()
    })

async function withStorage(
  client: S3Client,
  bucket: string,
  content: Buffer,
  fragmentSize: number,
): Promise<Store> {
  const storage = new S3Storage({ client, bucket, exclusive: (_, work) => work() })
  await storage.open()
  const { signal } = new AbortController()
  return async (number) => {
    const uploadId = number.toString(16).padStart(32, '0')
    const upload = { uploadId, destination: `storage-${number}.bin`, total: content.length }
    const seconds = await secondsOf(async () => {
      // The calls of the middleware.
      await storage.begin(upload)
      let end = 0
      while (end < content.length) {
        const offset = await storage.received(upload, end)
        end = await storage.append(
          upload,
          offset,
          bodyOf(content.subarray(offset, offset + fragmentSize)),
          signal,
        )
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
