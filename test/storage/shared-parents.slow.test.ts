import { Readable } from 'node:stream'
import { setTimeout as delay } from 'node:timers/promises'
import { expect, test } from '@jest/globals'
import { FileStorage } from 'express-bits-upload'
import { fixtures } from '../support/fixtures.js'

const { directory } = fixtures()

test('uploads that need the same new directories at once are all published', async () => {
  for (let round = 0; round < 25; round++) {
    const storage = new FileStorage({ directory: await directory(), durability: 'none' })
    await storage.open()
    // At different times, so that some look up directories while others create them.
    const publish = async (n: number) => {
      await delay(n % 8)
      const upload = { uploadId: String(n).padStart(32, '0'), destination: `a/b/c/d/e/f/${n}`, total: 1 }
      await storage.begin(upload)
      await storage.append(upload, 0, Readable.from([Buffer.from('x')]), new AbortController().signal)
      return storage.publish(upload, { overwrite: false })
    }
    const files = await Promise.all(Array.from({ length: 32 }, (_, n) => publish(n)))
    expect(files.map(({ size }) => size)).toEqual(Array(32).fill(1))
  }
})
