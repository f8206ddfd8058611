import { testHashes } from '../../delivery/hash-tests.js'
import { FakeS3 } from '../../support/fake-s3/fake-s3.js'
import { fixtures } from '../../support/fixtures.js'
import { storageOn } from './support.js'

const { afterwards } = fixtures()

testHashes('an S3Storage', async () => {
  const s3 = await FakeS3.start({})
  afterwards(() => s3.close())
  return storageOn(s3)
})
