import type { Readable } from 'node:stream'
import { expect, test } from '@jest/globals'
import {
  BitsError,
  MemorySessionStore,
  MemoryStorage,
  type SessionChange,
  type SessionRecord,
  type StagedUpload,
} from 'express-bits-upload'
import { fixtures } from '../support/fixtures.js'
import { fragment, openSession } from '../support/raw.js'
import { contentOf } from '../support/upload-fixture.js'

const { start, connect } = fixtures()

const PATH = '/uploads/file.bin'
const FILE = contentOf(1000)
const NEWER = Buffer.from('a newer file')

/** A store for several processes, which refuses changes by a process that lost its lock, as the contract requires. */
class LeasedStore extends MemorySessionStore {
  isLost = false

  async lock() {
    return async () => {}
  }

  override async update(
    uploadId: string,
    change: (current: SessionRecord) => SessionChange | undefined,
  ): Promise<SessionRecord | undefined> {
    if (this.isLost) throw new BitsError('session-busy', 'Another process has the lock of the session.')
    return super.update(uploadId, change)
  }
}

/**
 * Simulates a process that is suspended while it stores the last fragment. Meanwhile another server takes over, and a
 * newer file arrives.
 */
class SuspendedStorage extends MemoryStorage {
  readonly #store: LeasedStore

  constructor(store: LeasedStore) {
    super()
    this.#store = store
  }

  override async append(upload: StagedUpload, offset: number, body: Readable, signal: AbortSignal) {
    const length = await super.append(upload, offset, body, signal)
    this.files.set(upload.destination, NEWER)
    this.#store.isLost = true
    return length
  }
}

test('a server that lost its lock while it stored the last fragment publishes nothing when it wakes up', async () => {
  const store = new LeasedStore()
  const storage = new SuspendedStorage(store)
  const running = await start({ storage, sessionStore: store, overwrite: true })
  const connection = await connect(running)
  const id = await openSession(connection, PATH)
  const ack = await connection.exchange(fragment(PATH, id, FILE))
  expect(ack.status).toBe(503)
  expect(storage.files.get('file.bin')).toEqual(NEWER)
})
