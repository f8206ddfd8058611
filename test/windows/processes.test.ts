import { readdir, readFile, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals'
import { bytes } from '../support/bytes.js'
import { expectAck } from '../support/expect-ack.js'
import { stagedFiles } from '../support/files.js'
import { closeSession, fragment, openSession, RawConnection } from '../support/raw.js'
import { ResumingClient } from '../support/resuming-client.js'
import { until } from '../support/soak.js'
import { SETUP_TIMEOUT, WindowsServer, windowsDirectories } from './windows-server.js'
import { describeWindows } from './wine.js'

const MiB = 1024 * 1024
const FILE = bytes(2 * MiB + 345)
const FRAGMENT = 100_000
const KILLS = 2
/** Milliseconds. */
const PATIENCE = 100_000
/**
 * Milliseconds to wait for an Ack; Windows waits for five minutes. Taking over the lock of a killed server needs 10
 * seconds. Once, under Wine, an Ack never came after a kill, and no process held the lock of the session.
 */
const ACK_TIMEOUT = 30_000
const MOUNTS = { '/uploads': { directory: 'C:\\uploads', shared: true } }

describeWindows(() => {
  let server: WindowsServer
  let uploads: string

  beforeAll(async () => {
    ;[uploads = ''] = await windowsDirectories('C:\\uploads')
    server = await WindowsServer.start(MOUNTS)
  }, SETUP_TIMEOUT)

  afterAll(() => server?.dispose())

  const stagedBytes = async (): Promise<number> => {
    const parts = (await stagedFiles(uploads)).filter((name) => name.endsWith('.part'))
    const facts = await Promise.all(parts.map((name) => stat(join(uploads, 'BITS-Sessions', name))))
    return Math.max(0, ...facts.map(({ size }) => size))
  }

  test(
    `an upload continues in a server that was killed ${KILLS} times, and nothing acknowledged is lost`,
    async () => {
      const { port } = server
      const target = {
        port,
        path: '/uploads/killed.bin',
        file: FILE,
        fragmentSize: FRAGMENT,
        timeout: ACK_TIMEOUT,
      }
      const client = new ResumingClient(target)
      const finished = client.finish(PATIENCE)
      finished.catch(() => {})
      for (let kills = 1; kills <= KILLS; kills++) {
        const goal = kills * 5 * FRAGMENT
        await until(() => client.acknowledged >= goal, PATIENCE)
        await server.kill()
        expect(await stagedBytes()).toBeGreaterThanOrEqual(client.acknowledged)
        server = await WindowsServer.start(MOUNTS, port)
      }
      await finished
      expect((await readFile(join(uploads, 'killed.bin'))).equals(FILE)).toBe(true)
      expect(await stagedFiles(uploads)).toEqual([])
    },
    4 * PATIENCE,
  )

  describe('two processes that share a directory', () => {
    let other: WindowsServer

    beforeAll(async () => {
      other = await WindowsServer.start(MOUNTS)
    }, SETUP_TIMEOUT)

    afterAll(() => other?.dispose())

    test('can alternate between fragments of an upload', async () => {
      const path = '/uploads/turns.bin'
      const connections = await Promise.all([server, other].map(({ port }) => RawConnection.open(port)))
      const [first, second] = connections
      if (!first || !second) throw new Error('There is no connection.')
      const id = await openSession(first, path)
      for (let at = 0, n = 1; at < FILE.length; at += 10 * FRAGMENT, n++) {
        const last = Math.min(at + 10 * FRAGMENT, FILE.length) - 1
        const ack = await (n % 2 ? second : first).exchange(fragment(path, id, FILE, at, last))
        expectAck(ack, { status: 200, session: id, offset: last + 1 })
      }
      expectAck(await first.exchange(closeSession(path, id)), { status: 200, session: id })
      expect((await readFile(join(uploads, 'turns.bin'))).equals(FILE)).toBe(true)
      for (const connection of connections) connection.end()
    })

    test('hand over to the other one when its client reconnects there', async () => {
      const path = '/uploads/moved.bin'
      const hanging = await RawConnection.open(server.port)
      const id = await openSession(hanging, path)
      const part = fragment(path, id, FILE)
      hanging.write(part.subarray(0, part.length - FRAGMENT))
      await until(async () => (await stagedBytes()) > FRAGMENT, PATIENCE)
      const connection = await RawConnection.open(other.port)
      const ack = await connection.exchange(fragment(path, id, FILE))
      expectAck(ack, { status: 200, session: id, offset: FILE.length })
      expectAck(await connection.exchange(closeSession(path, id)), { status: 200, session: id })
      await hanging.closed()
      connection.end()
      expect((await readFile(join(uploads, 'moved.bin'))).equals(FILE)).toBe(true)
    })

    test('leave no lock and log no error', async () => {
      const left = await readdir(join(uploads, 'BITS-Sessions'))
      expect(left.filter((name) => /\.(?:lock|wanted|part)$/.test(name))).toEqual([])
      expect([...server.errors, ...other.errors]).toEqual([])
    })
  })
})
