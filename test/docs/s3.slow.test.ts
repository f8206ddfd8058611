import { describe, expect, test } from '@jest/globals'
import { FakeS3 } from '../support/fake-s3/fake-s3.js'
import { CLOUDFLARE, type Rules } from '../support/fake-s3/rules.js'
import { type Block, block } from './blocks.js'
import { FILE, useTempProject } from './use-temp-project.js'

const temp = useTempProject()
const ENVIRONMENT = { AWS_REGION: 'us-east-1', AWS_ACCESS_KEY_ID: 'key', AWS_SECRET_ACCESS_KEY: 'secret' }

/** Uploads a file to a documented server, and returns the objects that its service then contains. */
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
