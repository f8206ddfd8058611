import { join } from 'node:path'
import { expect, test } from '@jest/globals'
import { FileSessionStore } from 'express-bits-upload'
import { takeLease } from '../../lib/session-stores/directory-lease.js'
import { bytes } from '../support/bytes.js'
import { ChildServer } from '../support/child-server.js'
import { describeOnSystems, isPosix } from '../support/engines.js'
import { sessionFiles } from '../support/files.js'
import { fixtures } from '../support/fixtures.js'
import { createSession, fragment, openSession } from '../support/raw.js'
import { until } from '../support/soak.js'

const { directory: newDirectory, start, connect, afterwards } = fixtures()

const PATH = '/uploads/file.bin'
const FILE = bytes(1000)

describeOnSystems('sockets in directories', isPosix, () => {
  test('a second process without shared answers 503, says why once, and takes over when the first is killed', async () => {
    const directory = await newDirectory()
    const first = await ChildServer.start(directory)
    afterwards(() => first.kill())
    const id = await openSession(await connect(first), PATH)

    const running = await start({ directory })
    const connection = await connect(running)
    const refused = async () => {
      const ack = await connection.exchange(createSession(PATH))
      expect([ack.status, ack.header('BITS-Error-Code')]).toEqual([503, '0x801901F7'])
      return running.logger.lines.at(-1) ?? ''
    }
    await refused()
    expect(running.logger.lines.join()).toContain('shared: true')
    // A failure to open is remembered for a second, including its advice.
    await until(async () => !(await refused()).includes('shared: true'))

    await first.kill()
    await until(async () => (await connection.exchange(fragment(PATH, id, FILE))).status === 200)
  })

  test('a process that ends normally leaves nothing of its lease', async () => {
    const directory = await newDirectory()
    const running = await start({ directory })
    await running.bits.sessions()
    await running.stop()
    expect(await sessionFiles(directory)).toEqual([])
  })
})

test('one process may serve a directory several times', async () => {
  const directory = await newDirectory()
  const [one, other] = [await start({ directory }), await start({ directory })]
  await one.bits.sessions()
  await other.bits.sessions()
  await one.stop()
  expect(await openSession(await connect(other), PATH)).toMatch(/^\{/)
})

test('a shared store waits for a process that uses the directory exclusively', async () => {
  const directory = await newDirectory()
  const first = await ChildServer.start(directory)
  afterwards(() => first.kill())
  const id = await openSession(await connect(first), PATH)
  const running = await start({ directory, sessionStore: new FileSessionStore({ directory, shared: true }) })
  const connection = await connect(running)
  expect((await connection.exchange(createSession(PATH))).status).toBe(503)
  await first.kill()
  await until(async () => (await connection.exchange(fragment(PATH, id, FILE))).status === 200)
})

test('shared stores do not keep out other shared stores', async () => {
  const directory = await newDirectory()
  const options = { directory, shared: true }
  const [one, other] = [new FileSessionStore(options), new FileSessionStore(options)]
  await one.open()
  await other.open()
})

test('a directory without support for sockets has no lease', async () => {
  const directory = await newDirectory()
  const lease = await takeLease(join(directory, 'missing'))
  await lease?.release()
  expect(lease?.isExclusive).toBe(false)
  const long = join(directory, 'x'.repeat(120))
  expect(await takeLease(long)).toMatchObject({ isExclusive: false })
})
