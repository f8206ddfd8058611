import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { expect, test } from '@jest/globals'
import { FileSessionStore } from 'express-bits-upload'
import { temporaryDirectory } from '../support/serve.js'
import { block } from './blocks.js'
import { ROOT } from './temp-project.js'
import { useTempProject } from './use-temp-project.js'

const temp = useTempProject()
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
