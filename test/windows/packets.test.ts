import { readdir, readFile, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from '@jest/globals'
import { bytes } from '../support/bytes.js'
import { expectAck } from '../support/expect-ack.js'
import { stagedFiles } from '../support/files.js'
import { cancelSession, closeSession, fragment, openSession, packet, RawConnection } from '../support/raw.js'
import { ResumingClient } from '../support/resuming-client.js'
import { until } from '../support/soak.js'
import { SETUP_TIMEOUT, WindowsServer, windowsDirectories } from './windows-server.js'
import { describeWindows } from './wine.js'

const FILE = bytes(300_000)
const FRAGMENT = 70_000
/** Bytes. So large that the server writes before it has received the whole of it. */
const LARGE_FRAGMENT = 700_000
const LARGE_FILE = bytes(2 * LARGE_FRAGMENT)
const PATH = '/uploads/sub/file.bin'
/** Milliseconds. */
const PATIENCE = 60_000
const INVALID_ARGUMENT = '0x80070057'
const SESSION_NOT_FOUND = '0x8020001F'

describeWindows(() => {
  let server: WindowsServer
  let uploads: string
  let connection: RawConnection

  beforeAll(async () => {
    ;[uploads = ''] = await windowsDirectories('C:\\uploads', 'C:\\replies')
    server = await WindowsServer.start({
      '/uploads': { directory: 'C:\\uploads', files: { durability: 'fragment' } },
      '/replies': { directory: 'C:\\replies', reply: true },
    })
    connection = await RawConnection.open(server.port)
  }, SETUP_TIMEOUT)

  afterAll(async () => {
    connection?.end()
    await server?.dispose()
  })

  test('a file arrives in fragments, with all five packets', async () => {
    expectAck(await connection.exchange(packet('Ping', PATH)), { status: 200 })
    const id = await openSession(connection, PATH)
    for (let first = 0; first < FILE.length; first += FRAGMENT) {
      const last = Math.min(first + FRAGMENT, FILE.length) - 1
      const ack = await connection.exchange(fragment(PATH, id, FILE, first, last))
      expectAck(ack, { status: 200, session: id, offset: last + 1 })
    }
    expectAck(await connection.exchange(closeSession(PATH, id)), { status: 200, session: id })
    expect((await readFile(join(uploads, 'sub', 'file.bin'))).equals(FILE)).toBe(true)
    expect(await stagedFiles(uploads)).toEqual([])
    const ack = await connection.exchange(cancelSession(PATH, id))
    expectAck(ack, { status: 500, error: SESSION_NOT_FOUND, session: id })
  })

  test('a cancelled upload leaves nothing behind', async () => {
    const path = '/uploads/canceled.bin'
    const id = await openSession(connection, path)
    await connection.exchange(fragment(path, id, FILE, 0, 999))
    expectAck(await connection.exchange(cancelSession(path, id)), { status: 200, session: id })
    expect(await stagedFiles(uploads)).toEqual([])
    expect(await readdir(uploads)).not.toContain('canceled.bin')
  })

  test('a gap gets 416, and invalid packets 400', async () => {
    const path = '/uploads/gap.bin'
    const id = await openSession(connection, path)
    const gap = await connection.exchange(fragment(path, id, FILE, 10, 20))
    expectAck(gap, { status: 416, session: id, offset: 0 })
    const unknown = await connection.exchange(packet('Fragmnt', path))
    expectAck(unknown, { status: 400, error: INVALID_ARGUMENT })
    await connection.exchange(cancelSession(path, id))
  })

  test.each([
    { how: 'FIN', end: (client: RawConnection) => client.end() },
    { how: 'RST', end: (client: RawConnection) => client.reset() },
  ])(
    'an upload continues after a $how in the middle of a fragment, and no file stays open',
    async ({ how, end }) => {
      const path = `/uploads/${how}.bin`
      const client = new ResumingClient({
        port: server.port,
        path,
        file: LARGE_FILE,
        fragmentSize: LARGE_FRAGMENT,
      })
      const first = await RawConnection.open(server.port)
      client.id = await openSession(first, path)
      await client.sendNext(first)
      const next = client.nextFragment()
      first.write(next.subarray(0, next.length - 30_000))
      const [staged = ''] = await stagedFiles(uploads)
      // Winsock discards what the server has not read when a RST arrives: the connection ends after the first write.
      const isWriting = async () => (await stat(join(uploads, 'BITS-Sessions', staged))).size > LARGE_FRAGMENT
      await until(isWriting, PATIENCE)
      end(first)
      await first.closed()
      const held = `C:\\uploads\\BITS-Sessions\\${staged}`
      // Windows grants exclusive use of a file only when no other handle is open.
      await until(async () => (await server.lock(held)) === 'locked', PATIENCE)
      await server.unlock(held)
      await client.finish(PATIENCE)
      expect((await readFile(join(uploads, `${how}.bin`))).equals(LARGE_FILE)).toBe(true)
      expect(await server.lock(`C:\\uploads\\${how}.bin`)).toBe('locked')
      await server.unlock(`C:\\uploads\\${how}.bin`)
      expect(await stagedFiles(uploads)).toEqual([])
    },
  )

  test('a reply is announced, and can be read in full and in part', async () => {
    const path = '/replies/a%20b/file.bin'
    // The server closes connections that are idle for as long as the previous test may take.
    const connection = await RawConnection.open(server.port)
    const id = await openSession(connection, path)
    const ack = await connection.exchange(fragment(path, id, FILE))
    const announced = ack.header('BITS-Reply-URL') ?? ''
    expect(announced).toBe(`BITS-Sessions\\Replies\\${id}\\responsefile.bin`)
    const url = new URL(announced.replaceAll('\\', '/'), `http://127.0.0.1:${server.port}${path}`)
    const text = await (await fetch(url)).text()
    // The server application is called before the file is published.
    expect(text).toMatch(/^a b\/file\.bin is at C:\\replies\\BITS-Sessions\\[0-9a-f]{32}\.part$/)
    const part = await fetch(url, { headers: { Range: 'bytes=4-11' } })
    expect([part.status, await part.text()]).toEqual([206, text.slice(4, 12)])
    expectAck(await connection.exchange(closeSession(path, id)), { status: 200, session: id })
    connection.end()
  })

  test('the log has no errors, and has Windows paths', () => {
    const { stderr } = server.program
    expect(server.errors).toEqual([])
    expect(stderr).toContain('uploaded: C:\\uploads\\sub\\file.bin')
  })
})
