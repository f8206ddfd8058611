import { describe, test } from '@jest/globals'
import { type Runner, storageContract } from 'express-bits-upload/testing'
import { FakeS3 } from '../../support/fake-s3/fake-s3.js'
import { Fault } from '../../support/fake-s3/fault.js'
import { CLOUDFLARE, type Rules } from '../../support/fake-s3/rules.js'
import { storageOn } from './support.js'

const everything: Runner = { describe, test }
/** Staging makes no conditional requests: it need not be repeated on services that differ in their answers to those. */
const withoutStaging: Runner = {
  describe,
  test: (name, body, timeout) => {
    if (!/^(?:append|begin|read|received|staged|uploads)\b/.test(name)) test(name, body, timeout)
  },
}

interface Service {
  readonly rules: Partial<Rules>
  readonly assemble: 'copy' | 'stream'
  readonly runner: Runner
}

const SERVICES: Readonly<Record<string, Service>> = {
  'that honours conditions': { rules: {}, assemble: 'copy', runner: everything },
  'that refuses conditions': {
    rules: { put: 'refused', copy: 'refused', complete: 'refused' },
    assemble: 'copy',
    runner: withoutStaging,
  },
  'that ignores conditions': {
    rules: { copy: 'ignored', complete: 'ignored' },
    assemble: 'copy',
    runner: withoutStaging,
  },
  'like that of Cloudflare': { rules: CLOUDFLARE, assemble: 'stream', runner: everything },
}

for (const [which, { rules, assemble, runner }] of Object.entries(SERVICES)) {
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
    { runner, name: `S3Storage on a service ${which} as a storage` },
  )
}
