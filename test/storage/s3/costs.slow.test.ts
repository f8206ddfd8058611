import { expect, test } from '@jest/globals'
import { uploadFile } from 'express-bits-upload/client'
import type { Received } from '../../support/fake-s3/fake-s3.js'
import { serve } from '../../support/serve.js'
import { FAST, withFile } from '../../support/upload-fixture.js'
import { openStorage, stagedKeys, withS3 } from './support.js'

/** Operations that AWS charges as PUT, COPY, POST or LIST. Others are charged as GET, and deletes are free. */
const isPut = ({ operation }: Received): boolean => /^(Put|Copy|List|Create|Upload|Complete)/.test(operation)
const isGet = ({ operation }: Received): boolean => /^(Get|Head)/.test(operation)

test.each([
  ['10 MB in one fragment', 10_000_000, 10_000_000, { put: 4, get: 3, deleted: 1 }],
  ['10 MB in fragments of 1 MB', 10_000_000, 1_000_000, { put: 18, get: 14, deleted: 13 }],
  ['170 KB in fragments of 5 KB', 34 * 5120, 5120, { put: 41, get: 38, deleted: 36 }],
  ['39 MB in fragments of 13 MB', 39_000_000, 13_000_000, { put: 11, get: 3, deleted: 4 }],
])('an upload of %s costs no more requests than documented', async (_, size, fragmentSize, limit) => {
  await withS3({}, async (s3) => {
    const storage = await openStorage(s3)
    const running = await serve({ storage })
    try {
      await withFile(size, async ({ path, content }) => {
        s3.received.length = 0
        await uploadFile(path, `${running.origin}/uploads/file.bin`, { ...FAST, fragmentSize })
        const requests = s3.received.filter(({ key }) => !key.includes('/probe/'))
        const put = requests.filter(isPut).length
        const get = requests.filter(isGet).length
        const deleted = requests.length - put - get
        expect({ put, get, deleted }).toEqual({
          put: Math.min(put, limit.put),
          get: Math.min(get, limit.get),
          deleted: Math.min(deleted, limit.deleted),
        })
        expect(s3.objects.find('file.bin')?.bytes.equals(content)).toBe(true)
        expect(stagedKeys(s3)).toEqual([])
      })
    } finally {
      await running.stop()
    }
  })
})
