import { existsSync } from 'node:fs'
import { readFile, rm, symlink, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals'
import { type BitsUploadOptions, MemoryStorage } from 'express-bits-upload'
import { bytes } from '../support/bytes.js'
import { describeOnSystems } from '../support/engines.js'
import { openFiles, stagedFiles } from '../support/files.js'
import { closeSession, createSession, fragment, openSession, RawConnection } from '../support/raw.js'
import { type Running, serve, temporaryDirectory } from '../support/serve.js'
import { SimpleStorage } from '../support/simple-storage.js'
import { mayMount, mountTmpfs, unmount } from '../support/tmpfs.js'

const MiB = 1024 * 1024
const DISK = 8 * MiB
const FILE = bytes(5 * MiB)
const PATH = '/uploads/file.bin'
const FULL = '0x80070070'

/** A disk that can be filled up and emptied. */
interface SmallDisk {
  readonly options: BitsUploadOptions
  /** Leaves this many bytes free. */
  fill(free: number): Promise<void>
  makeRoom(): Promise<void>
  published(): Promise<Buffer | undefined>
  remove(): Promise<void>
  readonly directory?: string
}

async function tmpfs(): Promise<SmallDisk> {
  const mountPoint = await temporaryDirectory()
  if (!mountTmpfs(mountPoint.path, DISK)) throw new Error('The disk could be mounted a moment ago.')
  const ballast = join(mountPoint.path, 'ballast')
  return {
    options: { directory: mountPoint.path },
    directory: mountPoint.path,
    fill: (free) => writeFile(ballast, Buffer.alloc(DISK - free)),
    makeRoom: () => rm(ballast),
    published: () => readFile(join(mountPoint.path, 'file.bin')).catch(() => undefined),
    remove: async () => {
      unmount(mountPoint.path)
      await mountPoint.remove()
    },
  }
}

function memory(): SmallDisk {
  const storage = new MemoryStorage({ maxBytes: DISK })
  return {
    options: { storage },
    fill: async (free) => void storage.files.set('ballast', Buffer.alloc(DISK - free)),
    makeRoom: async () => void storage.files.delete('ballast'),
    published: async () => storage.files.get('file.bin'),
    remove: async () => {},
  }
}

describe('MemoryStorage with a quota, when it is full', () => describeFullDisk(async () => memory()))
describeOnSystems('mounts that this process may make', mayMount, () => {
  describe('FileStorage on a small disk, when it is full', () => describeFullDisk(tmpfs))
  describe('a disk without a single byte left', describeNoByteLeft)
})

function describeFullDisk(make: () => Promise<SmallDisk>): void {
  let disk: SmallDisk
  let running: Running
  let connection: RawConnection

  beforeEach(async () => {
    disk = await make()
    running = await serve(disk.options)
    connection = await RawConnection.open(running.port)
  })

  afterEach(async () => {
    connection.reset()
    await running.stop()
    const open = disk.directory ? await openFiles(disk.directory) : []
    await disk.remove()
    expect(open).toEqual([])
  })

  const send = async (id: string, first: number, last?: number) => {
    connection.write(fragment(PATH, id, FILE, first, last))
    const ack = await connection.ack()
    return {
      status: ack.status,
      error: ack.header('BITS-Error-Code'),
      offset: Number(ack.header('BITS-Received-Content-Range')),
    }
  }

  test('reports it with the offset, keeps the bytes, and continues once there is space', async () => {
    const id = await openSession(connection, PATH)
    expect(await send(id, 0, MiB - 1)).toMatchObject({ status: 200, offset: MiB })
    await disk.fill(3 * MiB)
    const started = Date.now()
    const full = await send(id, MiB)
    expect(full).toMatchObject({ status: 500, error: FULL })
    expect(full.offset).toBeGreaterThanOrEqual(MiB)
    expect(full.offset).toBeLessThan(FILE.length)
    // A retry neither stores nor loses anything.
    expect(await send(id, full.offset)).toMatchObject({ status: 500, error: FULL, offset: full.offset })
    expect(Date.now() - started).toBeLessThan(5000)

    await disk.makeRoom()
    expect(await send(id, full.offset)).toEqual({ status: 200, error: undefined, offset: FILE.length })
    connection.write(closeSession(PATH, id))
    expect((await connection.ack()).status).toBe(200)
    expect((await disk.published())?.equals(FILE)).toBe(true)
  })

  test('answers a client that sends its whole fragment before it reads', async () => {
    const id = await openSession(connection, PATH)
    await disk.fill(MiB)
    const full = await send(id, 0)
    expect(full).toMatchObject({ status: 500, error: FULL })
    await disk.makeRoom()
    expect(await send(id, 0)).toMatchObject({ status: 200, offset: FILE.length })
  })
}

function describeNoByteLeft(): void {
  let disk: SmallDisk
  let directory: string
  let running: Running
  let connection: RawConnection

  beforeEach(async () => {
    disk = await tmpfs()
    directory = disk.directory ?? ''
    running = await serve(disk.options)
    await running.bits.sessions()
    connection = await RawConnection.open(running.port)
  })

  afterEach(async () => {
    connection.reset()
    await running.stop()
    await disk.remove()
  })

  test('creates no new session, leaves nothing behind, and creates one once there is space', async () => {
    await disk.fill(0)
    connection.write(createSession(PATH))
    const ack = await connection.ack()
    expect([ack.status, ack.header('BITS-Error-Code')]).toEqual([500, FULL])
    expect(await stagedFiles(directory)).toEqual([])
    expect(await running.bits.sessions()).toEqual([])
    await disk.makeRoom()
    expect(await openSession(connection, PATH)).toMatch(/^\{/)
  })

  test('delays at most the last Ack, because the file itself is complete', async () => {
    const id = await openSession(connection, PATH)
    connection.write(fragment(PATH, id, FILE, 0, FILE.length - 2))
    expect((await connection.ack()).status).toBe(200)
    // There is room only for the last byte, whose page is already allocated.
    await disk.fill(0).catch(() => {})
    connection.write(fragment(PATH, id, FILE, FILE.length - 1))
    const full = await connection.ack()
    if (full.status !== 200) expect(full.header('BITS-Error-Code')).toBe(FULL)
    await disk.makeRoom()
    connection.write(fragment(PATH, id, FILE, FILE.length - 1))
    expect((await connection.ack()).status).toBe(200)
    expect((await disk.published())?.equals(FILE)).toBe(true)
  })
}

/** A Linux device that accepts no bytes. */
const hasFullDevice = () => existsSync('/dev/full')

describeOnSystems('/dev/full', hasFullDevice, () => {
  test('a storage adapter with a full disk reports it each time on the same connection, and continues once there is space', async () => {
    const directory = await temporaryDirectory()
    const running = await serve({ storage: new SimpleStorage(directory.path) })
    const connection = await RawConnection.open(running.port)
    try {
      const id = await openSession(connection, PATH)
      const [session] = await running.bits.sessions()
      const part = join(directory.path, `.${session?.uploadId}`)
      await rm(part)
      await symlink('/dev/full', part)
      for (let time = 0; time < 2; time++) {
        connection.write(fragment(PATH, id, FILE))
        const ack = await connection.ack()
        expect([ack.status, ack.header('BITS-Error-Code')]).toEqual([500, FULL])
        expect(ack.header('BITS-Received-Content-Range')).toBe('0')
      }
      await rm(part)
      connection.write(fragment(PATH, id, FILE))
      expect((await connection.ack()).status).toBe(200)
      expect((await readFile(join(directory.path, 'file.bin'))).equals(FILE)).toBe(true)
    } finally {
      connection.reset()
      await running.stop()
      await directory.remove()
    }
  })
})
