import { spawnSync } from 'node:child_process'
import { mkdir, readdir, readFile, rm, symlink, unlink } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, test } from '@jest/globals'
import { bytes } from '../support/bytes.js'
import { ChildServer } from '../support/child-server.js'
import { describeOnSystems } from '../support/engines.js'
import { openFiles } from '../support/files.js'
import { fixtures } from '../support/fixtures.js'
import { closeSession, createSession, fragment, openSession, type RawConnection } from '../support/raw.js'
import type { Running } from '../support/serve.js'
import { until } from '../support/soak.js'
import { mayMount, mountTmpfs, unmount } from '../support/tmpfs.js'

const { directory: newDirectory, start, connect, afterwards } = fixtures()

const FILE = bytes(300_000)
const HALF = 150_000
const SIZE = 16 * 1024 * 1024

const run = (command: string, ...args: string[]): boolean => spawnSync(command, args).status === 0

/** Starts an upload and sends its first half. */
async function begin(connection: RawConnection, name: string): Promise<string> {
  const id = await openSession(connection, `/uploads/${name}`)
  expect((await connection.exchange(fragment(`/uploads/${name}`, id, FILE, 0, HALF - 1))).status).toBe(200)
  return id
}

const sendRest = (connection: RawConnection, name: string, id: string) =>
  connection.exchange(fragment(`/uploads/${name}`, id, FILE, HALF))

/** Sends the rest as a client does: from the offset in the Ack, in a new session if necessary. */
async function finish(connection: RawConnection, name: string, id: string): Promise<void> {
  const path = `/uploads/${name}`
  let ack = await sendRest(connection, name, id)
  let session = id
  if (ack.header('BITS-Error-Code') === '0x8020001F') session = await openSession(connection, path)
  else expect([ack.status, ack.header('BITS-Received-Content-Range')]).toEqual([416, '0'])
  ack = await connection.exchange(fragment(path, session, FILE))
  expect(ack.status).toBe(200)
  expect((await connection.exchange(closeSession(path, session))).status).toBe(200)
}

/** Uploads under new names until one succeeds and the file is in the directory that the path leads to now. */
async function untilUploadsArrive(connection: RawConnection, directory: string): Promise<void> {
  let count = 0
  await until(async () => {
    const path = `/uploads/new-${count++}`
    const id = (await connection.exchange(createSession(path))).header('BITS-Session-Id')
    if (id === undefined) return false
    const isAcknowledged = (await connection.exchange(fragment(path, id, FILE))).status === 200
    const isClosed = (await connection.exchange(closeSession(path, id))).status === 200
    if (isAcknowledged) expect((await readFile(join(directory, path.slice(9)))).equals(FILE)).toBe(true)
    return isAcknowledged && isClosed
  })
}

/** Checks that another process finds the directory in use. */
async function expectLeased(directory: string): Promise<void> {
  const other = await ChildServer.start(directory)
  afterwards(() => other.kill())
  const ack = await (await connect(other)).exchange(createSession('/uploads/other'))
  expect([ack.status, ack.header('BITS-Error-Code')]).toEqual([503, '0x801901F7'])
}

const errorsOf = ({ logger }: Running) => logger.lines.filter((line) => line.startsWith('error'))

/** The store checks once a second where its path leads. */
const untilNoticed = () => new Promise((resolve) => setTimeout(resolve, 1100))

describe('an upload directory that is exchanged while the server runs', () => {
  test('is made again after its content was removed, and uploads continue', async () => {
    const directory = await newDirectory()
    const running = await start({ directory })
    const connection = await connect(running)
    const id = await begin(connection, 'open')
    for (const name of await readdir(directory)) await rm(join(directory, name), { recursive: true })
    await untilNoticed()
    await finish(connection, 'open', id)
    expect((await readFile(join(directory, 'open'))).equals(FILE)).toBe(true)
    await untilUploadsArrive(connection, directory)
    await expectLeased(directory)
    expect(errorsOf(running)).toEqual([])
    expect(await openFiles(directory)).toEqual([])
  })

  test('may be the new target of a symbolic link, and the old one may come back', async () => {
    const base = await newDirectory()
    const [directory, one, two] = ['uploads', 'one', 'two'].map((name) => join(base, name))
    if (!directory || !one || !two) throw new Error('There are three directories.')
    for (const path of [one, two]) await mkdir(path)
    const leadTo = async (target: string) => {
      await unlink(directory).catch(() => {})
      await symlink(target, directory)
      await untilNoticed()
    }
    await leadTo(one)
    const running = await start({ directory })
    const connection = await connect(running)
    const id = await begin(connection, 'open')
    await leadTo(two)
    await untilUploadsArrive(connection, two)
    await expectLeased(directory)
    await leadTo(one)
    // By now, Node may have ended the first connection, which was idle for seconds.
    expect((await sendRest(await connect(running), 'open', id)).status).toBe(200)
    expect((await readFile(join(one, 'open'))).equals(FILE)).toBe(true)
    expect(errorsOf(running)).toEqual([])
    expect(await openFiles(base)).toEqual([])
  })
})

describeOnSystems('mounts that this process may make', mayMount, () => {
  describe('a volume that is mounted over the upload directory while the server runs', () => {
    function mountUntilEnd(path: string, ...args: string[]): void {
      expect(args.length > 0 ? run('mount', ...args, path) : mountTmpfs(path, SIZE)).toBe(true)
      afterwards(() => unmount(path))
    }

    test('gets the uploads from then on, and none is lost when it goes', async () => {
      const directory = await newDirectory()
      const running = await start({ directory })
      const connection = await connect(running)
      const id = await begin(connection, 'open')
      mountUntilEnd(directory)
      await untilNoticed()
      await untilUploadsArrive(connection, directory)
      await expectLeased(directory)
      expect(run('umount', directory)).toBe(false)
      unmount(directory)
      await untilNoticed()
      // By now, Node may have ended the first connection, which was idle for seconds.
      const ack = await sendRest(await connect(running), 'open', id)
      expect(ack.status).toBe(200)
      expect((await readFile(join(directory, 'open'))).equals(FILE)).toBe(true)
      expect(errorsOf(running)).toEqual([])
    })

    test('continues the uploads that it held, as after a restart', async () => {
      const base = await newDirectory()
      const [volume = '', directory = ''] = ['volume', 'uploads'].map((name) => join(base, name))
      for (const path of [volume, directory]) await mkdir(path)
      mountUntilEnd(volume)
      const before = await start({ directory: volume })
      const earlier = await begin(await connect(before), 'earlier')
      await before.stop()

      const running = await start({ directory })
      const connection = await connect(running)
      const id = await begin(connection, 'open')
      mountUntilEnd(directory, '--bind', volume)
      await untilNoticed()
      expect((await sendRest(connection, 'earlier', earlier)).status).toBe(200)
      expect((await readFile(join(volume, 'earlier'))).equals(FILE)).toBe(true)
      await finish(connection, 'open', id)
      expect((await readFile(join(volume, 'open'))).equals(FILE)).toBe(true)
      await untilUploadsArrive(connection, volume)
      await expectLeased(directory)
      expect(errorsOf(running)).toEqual([])
    })

    test('is not kept busy once another one has taken its place', async () => {
      const base = await newDirectory()
      const [volume = '', other = '', directory = ''] = ['volume', 'other', 'uploads'].map((name) =>
        join(base, name),
      )
      for (const path of [volume, other]) await mkdir(path)
      mountUntilEnd(volume)
      await symlink(volume, directory)
      const running = await start({ directory })
      const connection = await connect(running)
      await begin(connection, 'open')
      expect(run('umount', volume)).toBe(false)
      await unlink(directory)
      await symlink(other, directory)
      await untilNoticed()
      await untilUploadsArrive(connection, other)
      expect(run('umount', volume)).toBe(true)
    })
  })
})
