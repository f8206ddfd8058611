import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { describe, expect, test } from '@jest/globals'
import { FileSessionStore } from 'express-bits-upload'
import { FakeS3 } from '../support/fake-s3/fake-s3.js'
import { CLOUDFLARE, type Rules } from '../support/fake-s3/rules.js'
import { temporaryDirectory } from '../support/serve.js'
import { type Block, block } from './blocks.js'
import { ROOT } from './temp-project.js'
import { FILE, useTempProject } from './use-temp-project.js'

const temp = useTempProject()
const ENVIRONMENT = { AWS_REGION: 'us-east-1', AWS_ACCESS_KEY_ID: 'key', AWS_SECRET_ACCESS_KEY: 'secret' }

/** Uploads a file to a documented server, and looks at what its service has then. */
async function uploadBy(example: Block, rules: Partial<Rules>, check: (s3: FakeS3) => void): Promise<void> {
  const s3 = await FakeS3.start(rules)
  try {
    const server = await temp.project.serve(example, {
      ...ENVIRONMENT,
      AWS_ENDPOINT_URL_S3: s3.endpoint,
      S3_ENDPOINT: s3.endpoint,
    })
    await temp.upload(server, 'logs/today.zip')
    check(s3)
  } finally {
    await s3.close()
  }
}

describe('the documented servers', () => {
  test('put a file where the option key says, with the settings of the option object', async () => {
    await uploadBy(block('js', { in: 'docs/s3.md#S3' }), {}, ({ objects }) => {
      expect(objects.keys).toEqual(['inbox/logs/today.zip'])
      expect(objects.find('inbox/logs/today.zip')).toMatchObject({
        bytes: FILE,
        headers: { 'x-amz-storage-class': 'STANDARD_IA' },
      })
    })
  })

  test('put a file into a bucket like those of Cloudflare', async () => {
    await uploadBy(block('js', { in: 'docs/s3.md#Other services' }), CLOUDFLARE, ({ objects }) => {
      expect(objects.find('logs/today.zip')?.bytes).toEqual(FILE)
    })
  })
})

test('the documented lock lets one run at a time for a key', async () => {
  const directory = await temporaryDirectory()
  const stores = [1, 2].map(() => new FileSessionStore({ directory: directory.path, shared: true }))
  try {
    for (const store of stores) await store.open()
    const path = await temp.project.write(block('js', { in: 'docs/s3.md#Uploads to one name' }))
    const { exclusiveBy } = await import(path)
    let running = 0
    const work = async () => {
      expect(++running).toBe(1)
      await delay(20)
      return running--
    }
    const locks = stores.map((store) => exclusiveBy(store))
    const runs = Array.from({ length: 6 }, (_, n) => locks[n % 2]('inbox/a file', work))
    expect(await Promise.all(runs)).toEqual([1, 1, 1, 1, 1, 1])
  } finally {
    await directory.remove()
  }
})

test('the documented permissions and lifecycle rules are JSON, and no permission is missing', () => {
  const { Statement } = JSON.parse(block('json', { in: 'docs/s3.md#Permissions' }).text)
  expect(Statement.flatMap(({ Action }: { Action: string | string[] }) => Action).sort()).toEqual([
    's3:AbortMultipartUpload',
    's3:DeleteObject',
    's3:GetObject',
    's3:ListBucket',
    's3:PutObject',
  ])
  const { Rules } = JSON.parse(block('json', { in: 'docs/s3.md#Lifecycle rules' }).text)
  expect(Rules).toHaveLength(2)
})

test('the command installs the peers', () => {
  const { name, peerDependencies } = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8'))
  const [, , ...installed] = block('sh', { in: 'docs/s3.md#S3' }).text.trim().split(' ')
  expect(installed).toEqual([name, 'express', '@aws-sdk/client-s3'])
  for (const peer of installed.slice(1)) expect(peerDependencies).toHaveProperty([peer])
})
