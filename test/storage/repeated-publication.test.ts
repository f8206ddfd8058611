import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals'
import {
  FileStorage,
  MemorySessionStore,
  MemoryStorage,
  type SessionChange,
  type SessionRecord,
  type StorageAdapter,
} from 'express-bits-upload'
import { stagedFiles } from '../support/files.js'
import { closeSession, fragment, openSession, RawConnection } from '../support/raw.js'
import { type Running, serve, temporaryDirectory } from '../support/serve.js'
import { SimpleStorage } from '../support/simple-storage.js'

/** Cannot record publications for a number of times, as if the process died between publication and record. */
class ForgetfulStore extends MemorySessionStore {
  failures = 0

  override async update(key: string, change: (current: SessionRecord) => SessionChange | undefined) {
    return super.update(key, (current) => {
      const changes = change(current)
      if (changes?.state === 'published' && this.failures-- > 0) throw new Error('The store is not there.')
      return changes
    })
  }
}

const CONTENT = Buffer.from('0123456789'.repeat(1000))
const PATH = '/uploads/a/file.bin'

const cannotLink = () => Promise.reject(Object.assign(new Error('no links here'), { code: 'EPERM' }))

const KINDS: { what: string; make: (directory: string) => StorageAdapter; inFiles: boolean }[] = [
  { what: 'FileStorage', make: (directory) => new FileStorage({ directory }), inFiles: true },
  {
    what: 'FileStorage without hard links',
    make: (directory) => new FileStorage({ directory }, { link: cannotLink }),
    inFiles: true,
  },
  { what: 'MemoryStorage', make: () => new MemoryStorage(), inFiles: false },
  { what: 'a custom storage', make: (directory) => new SimpleStorage(directory), inFiles: false },
]

describe.each(KINDS.flatMap((kind) => [false, true].map((overwrite) => ({ ...kind, overwrite }))))(
  'with $what and overwrite $overwrite, a file that was published before its session could record it',
  ({ make, inFiles, overwrite }) => {
    let directory: Awaited<ReturnType<typeof temporaryDirectory>>
    let store: ForgetfulStore
    let running: Running
    let connection: RawConnection
    let uploaded: string[]

    beforeEach(async () => {
      directory = await temporaryDirectory()
      store = new ForgetfulStore()
      store.failures = 1
      running = await serve({ storage: make(directory.path), sessionStore: store, overwrite })
      uploaded = []
      running.bits.on('uploaded', (file) => uploaded.push(file.destination))
      connection = await RawConnection.open(running.port)
    })

    afterEach(async () => {
      connection.reset()
      await running.stop()
      await directory.remove()
    })

    /** Sends a file whose last Ack is an error. @returns the session's id. */
    const failUpload = async (file: Buffer, firstPart: number): Promise<string> => {
      const id = await openSession(connection, PATH)
      if (firstPart > 0) {
        connection.write(fragment(PATH, id, file, 0, firstPart - 1))
        expect((await connection.ack()).status).toBe(200)
      }
      connection.write(fragment(PATH, id, file, firstPart))
      const ack = await connection.ack()
      expect(ack.status).toBe(500)
      // The session store has just failed, so the Ack contains no offset.
      expect(ack.header('BITS-Received-Content-Range')).toBeUndefined()
      expect(uploaded).toEqual([])
      return id
    }

    test('is reported as published when its last fragment is sent again', async () => {
      const id = await failUpload(CONTENT, 4000)
      connection.write(fragment(PATH, id, CONTENT, 4000))
      const ack = await connection.ack()
      expect(ack.status).toBe(200)
      expect(ack.header('BITS-Received-Content-Range')).toBe('10000')
      expect(uploaded).toEqual(['a/file.bin'])
      await expectThere(id)
    })

    test('is reported as published when its session is closed', async () => {
      const id = await failUpload(CONTENT, 4000)
      await expectThere(id)
      expect(uploaded).toEqual(['a/file.bin'])
    })

    test('is reported as published after several consecutive failures', async () => {
      store.failures = 3
      const id = await failUpload(CONTENT, 0)
      for (const status of [500, 500, 200]) {
        connection.write(fragment(PATH, id, CONTENT))
        expect((await connection.ack()).status).toBe(status)
      }
      await expectThere(id)
    })

    async function expectThere(id: string): Promise<void> {
      connection.write(closeSession(PATH, id))
      expect((await connection.ack()).status).toBe(200)
      if (!inFiles) return
      expect((await readFile(join(directory.path, 'a/file.bin'))).equals(CONTENT)).toBe(true)
      expect(await stagedFiles(directory.path)).toEqual([])
    }
  },
)
