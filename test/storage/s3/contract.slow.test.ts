import { describe, test } from '@jest/globals'
import { storageContract } from 'express-bits-upload/testing'
import { FakeS3 } from '../../support/fake-s3/fake-s3.js'
import { Fault } from '../../support/fake-s3/fault.js'
import { CLOUDFLARE, type Rules } from '../../support/fake-s3/rules.js'
import { storageOn } from './support.js'

const SERVICES: Readonly<Record<string, { rules: Partial<Rules>; assemble: 'copy' | 'stream' }>> = {
  'that honours conditions': { rules: {}, assemble: 'copy' },
  'that refuses conditions': {
    rules: { put: 'refused', copy: 'refused', complete: 'refused' },
    assemble: 'copy',
  },
  'that ignores conditions': { rules: { copy: 'ignored', complete: 'ignored' }, assemble: 'copy' },
  'like that of Cloudflare': { rules: CLOUDFLARE, assemble: 'stream' },
}

for (const [which, { rules, assemble }] of Object.entries(SERVICES)) {
  storageContract(
    async () => {
      const s3 = await FakeS3.start(rules)
      const storage = storageOn(s3, { assemble, maxAttempts: 1 })
      return {
        storage,
        published: async (destination) => s3.objects.find(destination)?.bytes,
        breakAppends: async ({ uploadId }) => {
          s3.trouble = ({ operation, key }) =>
            operation === 'PutObject' && key.includes(uploadId) ? new Fault(403, 'AccessDenied') : undefined
        },
        remove: () => s3.close(),
      }
    },
    { runner: { describe, test }, name: `S3Storage on a service ${which} as a storage` },
  )
}
