import { createHash } from 'node:crypto'
import { describe, expect, test } from '@jest/globals'
import { type CompletedUpload, MemoryStorage } from 'express-bits-upload'
import { uploadFile } from 'express-bits-upload/client'
import { fixtures } from '../support/fixtures.js'
import { clientError, contentOf, FAST, withFile } from '../support/upload-fixture.js'

const { start } = fixtures()

const FILE = contentOf(50_000)

describe('the option digest of the client', () => {
  test.each(['sha256', 'sha512'] as const)('sends the %s of a file with Create-Session only', (digest) =>
    withFile(FILE.length, async ({ path }) => {
      const received: [packet: string | undefined, value: string | undefined][] = []
      const uploads: CompletedUpload[] = []
      const { origin } = await start(
        { storage: new MemoryStorage(), onUpload: (upload) => void uploads.push(upload) },
        {
          before(app) {
            app.use((req, _res, next) => {
              received.push([req.get('BITS-Packet-Type'), req.get('Repr-Digest')])
              next()
            })
          },
        },
      )
      await uploadFile(path, `${origin}/uploads/file.bin`, { ...FAST, digest, fragmentSize: 20_000 })
      const name = digest === 'sha256' ? 'sha-256' : 'sha-512'
      const value = createHash(digest).update(FILE)
      const hexadecimal = value.copy().digest('hex')
      const [first, ...others] = received
      expect(first).toEqual(['Create-Session', `${name}=:${value.digest('base64')}:`])
      expect(others.length).toBeGreaterThan(3)
      for (const [, sent] of others) expect(sent).toBeUndefined()
      expect(uploads).toMatchObject([{ digest: { algorithm: digest, value: hexadecimal } }])
    }),
  )

  test('makes the server refuse a file with different bytes', async () => {
    const storage = new MemoryStorage()
    const { origin } = await start({ storage })
    const other = createHash('sha256').update('other').digest('base64')
    const headers = { 'Repr-Digest': `sha-256=:${other}:` }
    const error = await clientError(uploadFile(FILE, `${origin}/uploads/file.bin`, { ...FAST, headers }))
    expect(error).toMatchObject({ status: 400, hresult: 0x80070057, fatal: true })
    expect(storage.bytes).toBe(0)
  })

  test('cannot be combined with your own Repr-Digest', async () => {
    const options = { digest: 'sha256', headers: { 'repr-digest': '' } } as const
    await expect(uploadFile(FILE, 'http://127.0.0.1:9/file.bin', options)).rejects.toThrow(
      'digest is set, and so is "Repr-Digest" in `headers`: use only one of them',
    )
  })
})
