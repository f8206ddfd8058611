import { Readable } from 'node:stream'
import { buffer } from 'node:stream/consumers'
import { describe, expect, test } from '@jest/globals'
import { Fault } from '../../support/fake-s3/fault.js'
import { MIB, openStorage, sample, stagedKeys, uploadTo, withS3 } from './support.js'

describe('a reply', () => {
  test.each([8 * MIB - 1, 8 * MIB, 17 * MIB])('of %d bytes is stored completely', async (size) => {
    await withS3({}, async (s3) => {
      const storage = await openStorage(s3)
      const reply = sample(size)
      expect(
        await storage.writeReply(uploadTo('a'), Readable.from([reply.subarray(0, 99), reply.subarray(99)])),
      ).toBe(size)
      expect(await storage.statReply(uploadTo('a'))).toMatchObject({ size })
      expect((await buffer(storage.readReply(uploadTo('a')))).equals(reply)).toBe(true)
      const range = { start: size - 1000, end: size - 1 }
      expect((await buffer(storage.readReply(uploadTo('a'), range))).equals(reply.subarray(-1000))).toBe(true)
      await storage.discard(uploadTo('a'))
      expect(stagedKeys(s3)).toEqual([])
    })
  })

  test('whose parts cannot be written keeps the earlier one, and leaves no multipart upload', async () => {
    await withS3({}, async (s3) => {
      const storage = await openStorage(s3, { maxAttempts: 1 })
      await storage.writeReply(uploadTo('a'), Readable.from([Buffer.from('earlier')]))
      let parts = 0
      s3.trouble = ({ operation }) =>
        operation === 'UploadPart' && ++parts > 1 ? new Fault(403, 'AccessDenied') : undefined
      const body = Readable.from([sample(17 * MIB)])
      await expect(storage.writeReply(uploadTo('a'), body)).rejects.toThrow('UploadPart')
      expect(body.destroyed).toBe(true)
      expect((await buffer(storage.readReply(uploadTo('a')))).toString()).toBe('earlier')
      expect(s3.multiparts.open).toEqual([])
      expect(stagedKeys(s3)).toHaveLength(1)
    })
  })

  test('with an incomplete response is continued, unless it was replaced in the meantime', async () => {
    await withS3({}, async (s3) => {
      const storage = await openStorage(s3, { maxAttempts: 1 })
      const reply = sample(3 * MIB)
      await storage.writeReply(uploadTo('a'), Readable.from([reply]))
      let cuts = 0
      s3.trouble = ({ operation }) => (operation === 'GetObject' && cuts++ < 2 ? 'cut-answer' : undefined)
      expect((await buffer(storage.readReply(uploadTo('a')))).equals(reply)).toBe(true)
      expect(cuts).toBe(3)

      s3.trouble = async ({ operation, client }) => {
        if (operation !== 'GetObject' || client !== 'client') return undefined
        if (cuts++ > 3) return undefined
        setTimeout(() => s3.objects.put(stagedKeys(s3)[0] ?? '', sample(4 * MIB), {}))
        return 'cut-answer'
      }
      await expect(buffer(storage.readReply(uploadTo('a')))).rejects.toThrow('412 PreconditionFailed')
    })
  })
})
