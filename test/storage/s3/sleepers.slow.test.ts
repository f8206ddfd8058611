import { describe, expect, test } from '@jest/globals'
import type { FakeS3, Received } from '../../support/fake-s3/fake-s3.js'
import { until } from '../../support/soak.js'
import { MIB, openStorage, sample, send, stagedKeys, uploadTo, withS3 } from './support.js'

const DESTINATION = 'report.xml'

interface Sleep {
  readonly size: number
  readonly fragment: number
  /** The request before which the process is suspended. */
  readonly before: (request: Received) => boolean
}

const SMALL = { size: 1000, fragment: 1000 }
const JOINED = { size: 3000, fragment: 1000 }
/** Of three segments: the first two are copied while the third arrives. */
const LARGER = { size: 11 * MIB, fragment: 5.1 * MIB }
const LARGE = { size: 11 * MIB, fragment: 6 * MIB }

const SLEEPS: Readonly<Record<string, Sleep>> = {
  'storing a segment': { ...SMALL, before: ({ operation }) => operation === 'PutObject' },
  'storing a joint segment': {
    size: 33 * 1000,
    fragment: 1000,
    before: ({ operation, bytes }) => operation === 'PutObject' && bytes === 32_000,
  },
  'deleting what was merged': {
    size: 33 * 1000,
    fragment: 1000,
    before: ({ operation }) => operation === 'DeleteObject',
  },
  'looking whether the destination is free': {
    ...SMALL,
    before: ({ operation }) => operation === 'HeadObject',
  },
  'copying the only segment': { ...SMALL, before: ({ operation }) => operation === 'CopyObject' },
  'reading small segments to join them': { ...JOINED, before: ({ operation }) => operation === 'GetObject' },
  'writing a part of joined segments': { ...JOINED, before: ({ operation }) => operation === 'UploadPart' },
  'beginning a multipart upload': {
    ...LARGE,
    before: ({ operation }) => operation === 'CreateMultipartUpload',
  },
  'noting a multipart upload': {
    ...LARGE,
    before: ({ operation, key }) => operation === 'PutObject' && key.includes('/p/'),
  },
  'copying a part': { ...LARGE, before: ({ operation }) => operation === 'UploadPartCopy' },
  'beginning a multipart upload while the file arrives': {
    ...LARGER,
    before: ({ operation }) => operation === 'CreateMultipartUpload',
  },
  'copying a part while the file arrives': {
    ...LARGER,
    before: ({ operation }) => operation === 'UploadPartCopy',
  },
  'completing a multipart upload': {
    ...LARGE,
    before: ({ operation }) => operation === 'CompleteMultipartUpload',
  },
  'discarding what was published': { ...LARGE, before: ({ operation }) => operation === 'DeleteObject' },
}

async function run(
  s3: FakeS3,
  name: string,
  id: number,
  content: Buffer,
  fragment: number,
  hasLock: () => boolean = () => true,
): Promise<void> {
  const storage = await openStorage(s3, { name, maxAttempts: 1 })
  const upload = uploadTo(DESTINATION, content.length, id)
  await send(storage, upload, content, fragment)
  // The session store refuses changes by a process without the session's lock.
  if (!hasLock()) return
  await storage.publish(upload, { overwrite: true })
  await storage.discard(upload)
}

describe('a process that is suspended, and resumes when another one has finished its upload, damages nothing', () => {
  test.each(Object.entries(SLEEPS))(
    'when it is suspended before %s',
    async (_, { size, fragment, before }) => {
      await withS3({}, async (s3) => {
        const content = sample(size)
        let isAsleep = false
        let wake = () => {}
        s3.trouble = (request) => {
          if (request.client !== 'sleeper' || request.key.includes('/probe/')) return undefined
          if (isAsleep || !before(request)) return undefined
          isAsleep = true
          return new Promise((resolve) => {
            wake = () => resolve(undefined)
          })
        }
        const sleeper = run(s3, 'sleeper', 1, content, fragment, () => !isAsleep).catch(() => {})
        await until(() => isAsleep)

        await run(s3, 'successor', 1, content, fragment)
        expect(s3.objects.find(DESTINATION)?.bytes.equals(content)).toBe(true)
        const newer = Buffer.from('a newer file')
        await run(s3, 'other', 2, newer, newer.length)

        wake()
        await sleeper
        await until(() => s3.inFlight === 0 && s3.multiparts.open.length === 0)
        expect(s3.objects.find(DESTINATION)?.bytes.equals(newer)).toBe(true)
        // The sweep removes segments that it stored after the session ended.
        const cleaner = await openStorage(s3, { name: 'cleaner' })
        for await (const { uploadId } of cleaner.staged())
          await cleaner.discard({ uploadId, destination: '' })
        expect(stagedKeys(s3)).toEqual([])
      })
    },
  )
})
