import { describe, expect, test } from '@jest/globals'
import { StagingKeys } from '../../../lib/storage/s3/keys.js'
import type { FakeS3, Received } from '../../support/fake-s3/fake-s3.js'
import type { Rules } from '../../support/fake-s3/rules.js'
import { tell, times, until } from '../../support/soak.js'
import { MIB, sample, send, stagedKeys, storageOn, uploadTo, withS3 } from './support.js'

const KB = 1024

interface Job {
  readonly size: number
  readonly fragment: number
  readonly assemble: 'copy' | 'stream'
  /** Number of fragments that are staged beforehand, to save time. */
  readonly staged: number
  readonly rules?: Partial<Rules>
}

const JOBS: Readonly<Record<string, Job>> = {
  'a single fragment': { size: 100_000, fragment: 13_000_000, assemble: 'copy', staged: 0 },
  'no fragment, as it is empty': { size: 0, fragment: 13_000_000, assemble: 'copy', staged: 0 },
  'fragments of 5 KB': { size: 34 * 5 * KB, fragment: 5 * KB, assemble: 'copy', staged: 31 },
  'fragments of 1 MB': { size: 9_300_000, fragment: 1_000_000, assemble: 'copy', staged: 7 },
  'fragments of 13 MB': { size: 27_000_000, fragment: 13_000_000, assemble: 'copy', staged: 1 },
  'fragments that are copied while others arrive': {
    size: 8000,
    fragment: 1500,
    assemble: 'copy',
    staged: 0,
    rules: { minPartSize: 1000 },
  },
  'fragments of 1 MB that pass through the server': {
    size: 9_300_000,
    fragment: 1_000_000,
    assemble: 'stream',
    staged: 7,
  },
}

const DESTINATION = 'evidence/disk.img'
const DEATHS = { before: 'break', after: 'lose-answer' } as const

/** All operations of an upload, from its first fragment to the end of its session. */
async function upload(s3: FakeS3, name: string, content: Buffer, { fragment, assemble }: Job): Promise<void> {
  const storage = storageOn(s3, { name, assemble, maxAttempts: 1 })
  const upload = uploadTo(DESTINATION, content.length)
  await send(storage, upload, content, fragment)
  await storage.publish(upload, { overwrite: false })
  await storage.discard(upload)
}

/** The fragments that are staged beforehand. */
const stagedFragments = (content: Buffer, { fragment, staged }: Job): Buffer[] =>
  Array.from({ length: staged }, (_, n) => content.subarray(n * fragment, (n + 1) * fragment))

/** The staged data of the upload when the server that will die takes it over. */
function stage(s3: FakeS3, fragments: readonly Buffer[]): void {
  const keys = new StagingKeys('BITS-Sessions/')
  let first = 0
  for (const fragment of fragments) {
    const next = first + fragment.length
    const { key } = keys.newSegment(uploadTo(DESTINATION).uploadId, first, next)
    s3.objects.put(key, fragment, {})
    first = next
  }
}

const work = (received: readonly Received[]): Received[] =>
  received.filter(({ client }) => client === 'first')

/** One of each group of requests that have the same neighbors; all of them in a soak test. */
function momentsOf(requests: readonly Received[]): number[] {
  const kind = (n: number) => {
    const { operation, key } = requests[n] ?? {}
    return `${operation} ${key?.replace(/[0-9a-f]{12,}/g, '')}`
  }
  const seen = new Set<string>()
  const first = new Set<number>()
  for (const [n] of requests.entries()) {
    const around = [n - 1, n, n + 1].map(kind).join()
    if (!seen.has(around)) first.add(n)
    seen.add(around)
  }
  if (times(0, 1)) return [...requests.keys()]
  // Large files take more time.
  const bytesInAll = requests.reduce((sum, { bytes }) => sum + bytes, 0)
  return [...first].filter((_, n) => bytesInAll < MIB || n % 3 === 0)
}

/** Both before and after a request in a soak test, otherwise one of them. */
const waysAt = (moment: number): readonly ('before' | 'after')[] =>
  times(0, 1) ? ['before', 'after'] : [moment % 2 === 0 ? 'before' : 'after']

/** Simulates a process, `first`, that dies at its nth request: nothing that it sends afterward arrives. */
function dieAt(s3: FakeS3, moment: number, how: 'before' | 'after'): void {
  let count = 0
  s3.trouble = ({ client }) => {
    if (client !== 'first') return undefined
    count++
    if (count <= moment) return undefined
    return count === moment + 1 ? DEATHS[how] : 'break'
  }
}

/** No other server can find a multipart upload that was created but not recorded. */
function unknownMultiparts(s3: FakeS3, moment: number, how: 'before' | 'after'): number {
  const done = work(s3.received).slice(0, how === 'after' ? moment + 1 : moment)
  const created = done.filter(({ operation }) => operation === 'CreateMultipartUpload')
  const noted = done.filter(({ operation, key }) => operation === 'PutObject' && key.includes('/p/'))
  return created.length - noted.length
}

async function expectSuccess(s3: FakeS3, content: Buffer, moment: string, orphans: number): Promise<void> {
  const published = s3.objects.find(DESTINATION)?.bytes
  expect([moment, published && content.equals(published)]).toEqual([moment, true])
  expect([moment, stagedKeys(s3)]).toEqual([moment, []])
  expect([moment, s3.multiparts.open.length <= orphans]).toEqual([moment, true])
  await until(() => s3.inFlight === 0)
}

describe('a server that dies leaves an upload that another one completes', () => {
  test.each(Object.entries(JOBS))(
    'which has %s',
    async (name, job) => {
      const content = sample(job.size)
      const fragments = stagedFragments(content, job)
      let requests: Received[] = []
      const { rules = {} } = job
      await withS3(rules, async (s3) => {
        stage(s3, fragments)
        await upload(s3, 'first', content, job)
        requests = work(s3.received)
        await expectSuccess(s3, content, 'without a death', 0)
      })
      const moments = momentsOf(requests)
      tell(`${name}: ${requests.length} requests, deaths at ${moments.length}`)
      for (const moment of moments) {
        const { operation } = requests[moment] ?? {}
        for (const how of waysAt(moment)) {
          await withS3(rules, async (s3) => {
            stage(s3, fragments)
            dieAt(s3, moment, how)
            await expect(upload(s3, 'first', content, job)).rejects.toThrow()
            await upload(s3, 'second', content, job)
            await expectSuccess(
              s3,
              content,
              `${how} request ${moment}, ${operation}`,
              unknownMultiparts(s3, moment, how),
            )
          })
        }
      }
    },
    times(300_000, 1_800_000),
  )

  test('after the file was published and before that was recorded: it is not published again', async () => {
    await withS3({}, async (s3) => {
      const content = sample(11 * MIB)
      const job: Job = { size: content.length, fragment: 6 * MIB, assemble: 'copy', staged: 0 }
      s3.trouble = ({ client, operation }) => {
        const isDead = s3.received.some(
          (before) => before.operation === 'CompleteMultipartUpload' && before.key === DESTINATION,
        )
        if (client !== 'first' || !isDead) return undefined
        return operation === 'CompleteMultipartUpload' ? 'lose-answer' : 'break'
      }
      await expect(upload(s3, 'first', content, job)).rejects.toThrow()
      const published = s3.objects.find(DESTINATION)
      expect(published?.bytes.equals(content)).toBe(true)
      const second = storageOn(s3, { name: 'second' })
      const file = await second.publish(uploadTo(DESTINATION, content.length), { overwrite: false })
      expect(file).toMatchObject({ size: content.length, details: { etag: published?.etag } })
      expect(s3.objects.find(DESTINATION)).toBe(published)
    })
  })
})
