import { mkdtemp, readdir, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals'
import { bitsUpload, FileSessionStore, FileStorage } from 'express-bits-upload'
import { nodeFileSystem } from '../../lib/util/fs.js'
import { RecordingLogger } from '../support/serve.js'

const failing = (code: string) => Object.assign(new Error(code), { code })

/** Disks with a problem. */
const DISKS = {
  full: {
    write: () => Promise.reject(failing('ENOSPC')),
    problem: 'ENOSPC',
  },
  'almost full': {
    write: async () => ({ bytesWritten: 100, buffer: Buffer.alloc(0) }),
    problem: 'is full',
  },
  'read-only': {
    open: () => Promise.reject(failing('EROFS')),
    problem: 'EROFS',
  },
}

describe('check() of file storages and stores', () => {
  let directory: string

  beforeEach(async () => {
    directory = await mkdtemp(join(tmpdir(), 'bits-check-'))
  })
  afterEach(() => rm(directory, { recursive: true, force: true }))

  const staging = () => readdir(join(directory, 'BITS-Sessions'))

  test('leaves nothing behind if the disk is writable', async () => {
    const bits = bitsUpload({ directory, logger: new RecordingLogger() })
    await bits.sessions()
    const before = await staging()
    expect(await bits.health()).toEqual({ storage: 'ok', sessions: 'ok' })
    expect(await staging()).toEqual(before)
    await bits.close()
  })

  test.each(Object.entries(DISKS))(
    'fails if the disk is %s, and leaves nothing behind',
    async (_name, disk) => {
      const { problem, ...calls } = disk
      let isBroken = false
      const whenBroken = Object.fromEntries(
        Object.entries(calls).map(([name, call]) => [
          name,
          (...args: unknown[]) =>
            Reflect.apply(isBroken ? call : Reflect.get(nodeFileSystem, name), undefined, args),
        ]),
      )
      const storage = new FileStorage({ directory }, whenBroken)
      const sessionStore = new FileSessionStore({ directory }, whenBroken)
      const bits = bitsUpload({ storage, sessionStore, logger: new RecordingLogger() })
      await bits.sessions()
      const before = await staging()
      isBroken = true
      const health = await bits.health()
      expect(health).toEqual({
        storage: expect.stringContaining(problem),
        sessions: expect.stringContaining(problem),
      })
      expect(await staging()).toEqual(before)
      isBroken = false
      await bits.close()
    },
  )

  test('fails if the directory was removed', async () => {
    const bits = bitsUpload({ directory, logger: new RecordingLogger() })
    await bits.sessions()
    await rm(directory, { recursive: true })
    const { storage, sessions } = await bits.health()
    expect([storage, sessions]).toEqual([
      expect.stringContaining('ENOENT'),
      expect.stringContaining('ENOENT'),
    ])
    await bits.close()
  })
})
