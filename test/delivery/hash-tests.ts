import { createHash } from 'node:crypto'
import type { Readable } from 'node:stream'
import { describe, expect, test } from '@jest/globals'
import {
  type CompletedUpload,
  MemorySessionStore,
  type SessionInfo,
  type StagedUpload,
  type StorageAdapter,
  type UploadedFile,
} from 'express-bits-upload'
import { expectAck } from '../support/expect-ack.js'
import { fixtures } from '../support/fixtures.js'
import { closeSession, fragment, openSession } from '../support/raw.js'
import type { Running } from '../support/serve.js'
import { contentOf } from '../support/upload-fixture.js'

export const PATH = '/uploads/dir/file.bin'
export const FILE = contentOf(300_000)

export const hex = (algorithm: string, content: Buffer = FILE): string =>
  createHash(algorithm).update(content).digest('hex')
export const SHA256 = { algorithm: 'sha256', value: hex('sha256') }
export const SHA512 = { algorithm: 'sha512', value: hex('sha512') }

/** Counts how often the staged bytes of a storage are read. */
export function countReads<Storage extends StorageAdapter>(storage: Storage): Storage & { reads: number } {
  const { read } = storage
  return Object.assign(storage, {
    reads: 0,
    read(this: { reads: number }, upload: StagedUpload): Readable {
      this.reads++
      return read.call(storage, upload)
    },
  })
}

/** The values that listeners and the application receive. */
export function record() {
  const applied: CompletedUpload[] = []
  const uploaded: UploadedFile[] = []
  const cancelled: SessionInfo[] = []
  return {
    applied,
    uploaded,
    cancelled,
    onUpload: (upload: CompletedUpload) => void applied.push(upload),
    listen({ bits }: Running) {
      bits.on('uploaded', (file) => uploaded.push(file))
      bits.on('cancelled', (session) => cancelled.push(session))
    },
  }
}

/** Tests for every storage. */
export function testHashes(storageName: string, create: () => Promise<StorageAdapter>): void {
  const { start, connect } = fixtures()

  describe(`with ${storageName}`, () => {
    test.each([SHA256, SHA512])('computes $algorithm while overlapping fragments arrive', async (digest) => {
      const storage = countReads(await create())
      const { onUpload, applied, uploaded, listen } = record()
      const hash = digest.algorithm === 'sha256' ? 'sha256' : 'sha512'
      const running = await start({ storage, hash, onUpload })
      listen(running)
      const connection = await connect(running)
      const id = await openSession(connection, PATH)
      for (const [first, last] of [
        [0, 99_999],
        [50_000, 149_999],
        [0, 100],
        [150_000, 150_000],
        [100, 299_999],
      ]) {
        expect((await connection.exchange(fragment(PATH, id, FILE, first, last))).status).toBe(200)
      }
      expect(applied).toMatchObject([{ digest }])
      expect(uploaded).toMatchObject([{ digest }])
      expect(storage.reads).toBe(0)
    })

    test('reads the staged bytes once when another server received some of them', async () => {
      const storage = countReads(await create())
      const sessionStore = new MemorySessionStore()
      const { onUpload, applied } = record()
      const [one, other] = await Promise.all([
        start({ storage, sessionStore, hash: 'sha256', onUpload }).then(connect),
        start({ storage, sessionStore, hash: 'sha256', onUpload }).then(connect),
      ])
      const id = await openSession(one, PATH)
      await one.exchange(fragment(PATH, id, FILE, 0, 99_999))
      await other.exchange(fragment(PATH, id, FILE, 100_000, 199_999))
      expectAck(await one.exchange(fragment(PATH, id, FILE, 200_000)), {
        status: 200,
        session: id,
        offset: FILE.length,
      })
      expect(applied).toMatchObject([{ digest: SHA256 }])
      expect(storage.reads).toBe(1)
    })

    test('computes the checksum of an empty file without reading it', async () => {
      const storage = countReads(await create())
      const { uploaded, listen } = record()
      const running = await start({ storage, hash: 'sha256' })
      listen(running)
      const connection = await connect(running)
      const id = await openSession(connection, PATH)
      expect((await connection.exchange(closeSession(PATH, id))).status).toBe(200)
      expect(uploaded).toMatchObject([{ digest: { value: hex('sha256', Buffer.alloc(0)) } }])
      expect(storage.reads).toBe(0)
    })
  })
}
