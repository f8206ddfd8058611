import { expect, test } from '@jest/globals'
import { FileHash } from '../../lib/delivery/file-hash.js'
import { UploadHashes } from '../../lib/delivery/upload-hashes.js'

test('the hash of the upload that was idle the longest makes room for another', () => {
  const hashes = new UploadHashes(2)
  const hash = new FileHash(['sha256'])
  hashes.keep('one', hash)
  hashes.keep('two', hash)
  hashes.keep('one', hash)
  hashes.keep('three', hash)
  expect(['one', 'two', 'three'].map((uploadId) => hashes.get(uploadId))).toEqual([hash, undefined, hash])
  expect(hashes.size).toBe(2)
})
