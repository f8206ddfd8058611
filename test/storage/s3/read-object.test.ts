import { expect, test } from '@jest/globals'
import { Bucket } from '../../../lib/storage/s3/bucket.js'
import { readObject } from '../../../lib/storage/s3/read-object.js'
import { Requester } from '../../../lib/storage/s3/requester.js'
import { BUCKET } from '../../support/fake-s3/fake-s3.js'
import { MIB, sample, withS3 } from './support.js'

test.each([
  ['are freed as soon as they are copied', true],
  ['remain if the reader keeps them', false],
])('the chunks of an object %s', async (_, isCopied) => {
  await withS3({}, async (s3) => {
    const bucket = new Bucket(new Requester(s3.client(), BUCKET, 10_000))
    const content = sample(2 * MIB)
    await bucket.put('a', content)
    const copy = Buffer.alloc(content.length)
    const chunks: Buffer[] = []
    let position = 0
    for await (const chunk of readObject(bucket, 'a', { from: 0, to: content.length }, { isCopied })) {
      position += chunk.copy(copy, position)
      chunks.push(chunk)
    }
    expect(copy.equals(content)).toBe(true)
    const kept = chunks.reduce((sum, { length }) => sum + length, 0)
    expect(kept).toBe(isCopied ? 0 : content.length)
  })
})
