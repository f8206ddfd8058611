import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFile, writeFile } from 'node:fs/promises'
import { Agent } from 'node:http'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, jest, test } from '@jest/globals'
import { uploadFile } from 'express-bits-upload/client'
import { bundleScript } from '../support/bundle-script.js'
import { expectAck } from '../support/expect-ack.js'
import { stagedFiles } from '../support/files.js'
import { closeSession, fragment, openSession, packet, type RawAck, RawConnection } from '../support/raw.js'
import { temporaryDirectory } from '../support/serve.js'
import { contentOf, KB } from '../support/upload-fixture.js'

const SCRIPT = new URL('../fixtures/cluster-uploads.ts', import.meta.url)
const FILE = contentOf(200 * KB)

interface Happening {
  readonly worker: number
  readonly event: string
  readonly destination: string
}

let root: Awaited<ReturnType<typeof temporaryDirectory>>
let directory: string
let primary: ChildProcess
let port: number
const happened: Happening[] = []
const connections: RawConnection[] = []
/** Another worker takes over the session of a killed one. This takes ten seconds, while the other tests run. */
let takenOver: Promise<{ ack: RawAck; id: string; milliseconds: number }>

beforeAll(async () => {
  root = await temporaryDirectory()
  directory = join(root.path, 'uploads')
  await writeFile(join(root.path, 'file.bin'), FILE)
  // A file, because workers run it again.
  const script = join(root.path, 'server.mjs')
  await writeFile(script, await bundleScript(SCRIPT, 'esm'))
  primary = spawn(process.execPath, [script, directory], {
    stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
  })
  const [address] = await once(primary, 'message')
  port = address.port
  primary.on('message', (message: Happening) => happened.push(message))
  const { worker, id, path } = await hangingUpload('orphan.bin')
  const { connection } = await connectElsewhere(worker)
  process.kill(Number(worker), 'SIGKILL')
  // Until the primary notices, it passes connections to the dead worker, which never answers them.
  while (!happened.some((each) => each.event === 'exit' && each.worker === Number(worker))) await pause(5)
  takenOver = takeOver(connection, id, path)
  takenOver.catch(() => {})
})

afterAll(async () => {
  for (const connection of connections) connection.reset()
  const exit = once(primary, 'exit')
  primary.disconnect()
  await exit
  await root.remove()
})

/** A connection, and the id of the worker process that accepted it. */
async function connect(): Promise<{ connection: RawConnection; worker: string }> {
  const connection = await RawConnection.open(port)
  connections.push(connection)
  const ack = await connection.exchange(packet('Ping', '/uploads/any'))
  return { connection, worker: ack.header('X-Worker') ?? '' }
}

/** A connection to a worker other than these. */
async function connectElsewhere(
  ...workers: string[]
): Promise<{ connection: RawConnection; worker: string }> {
  for (;;) {
    const found = await connect()
    if (!workers.includes(found.worker)) return found
  }
}

/** A session with a fragment that stalls in the middle of its body. */
async function hangingUpload(name: string) {
  const path = `/uploads/${name}`
  const { connection, worker } = await connect()
  const id = await openSession(connection, path)
  const part = fragment(path, id, FILE)
  connection.write(part.subarray(0, part.length - 50 * KB))
  while (!of(name).some(({ event }) => event === 'progress')) await pause(20)
  return { connection, worker, id, path }
}

async function takeOver(connection: RawConnection, id: string, path: string) {
  const start = Date.now()
  const ack = await connection.exchange(fragment(path, id, FILE))
  const milliseconds = Date.now() - start
  await connection.exchange(closeSession(path, id))
  return { ack, id, milliseconds }
}

const of = (name: string) => happened.filter(({ destination }) => destination === name)
const events = (name: string, event: string) => of(name).filter((happening) => happening.event === event)

/** How often `uploaded` was emitted: waits for the first time, and then a moment for others. */
async function uploadedCount(name: string): Promise<number> {
  while (events(name, 'uploaded').length === 0) await pause(20)
  await pause(50)
  return events(name, 'uploaded').length
}
const contentAt = (name: string) => readFile(join(directory, name))

// Five processes start, and share two processors with everything else that runs.
jest.setTimeout(90_000)

describe('workers of a cluster', () => {
  test('share uploads, whichever worker receives a fragment', async () => {
    const names = Array.from({ length: 8 }, (_, n) => `${n}.bin`)
    await Promise.all(
      names.map(async (name) => {
        const { reply } = await uploadFile(
          join(root.path, 'file.bin'),
          `http://127.0.0.1:${port}/uploads/${name}`,
          {
            fragmentSize: 10 * KB,
            agent: new Agent({ keepAlive: false }),
          },
        )
        expect(reply?.toString()).toBe(`reply to ${name}`)
      }),
    )
    for (const name of names) {
      expect((await contentAt(name)).equals(FILE)).toBe(true)
      expect([name, await uploadedCount(name)]).toEqual([name, 1])
      expect([name, events(name, 'onUpload').length]).toEqual([name, 1])
      const workers = new Set(events(name, 'progress').map(({ worker }) => worker))
      expect(workers.size).toBeGreaterThan(1)
    }
  })

  test('preempt a fragment that hangs in another worker', async () => {
    const { connection: hanging, worker, id, path } = await hangingUpload('hanging.bin')
    const { connection } = await connectElsewhere(worker)
    const start = Date.now()
    const ack = await connection.exchange(fragment(path, id, FILE))
    expectAck(ack, { status: 200, session: id, offset: FILE.length })
    expect(Date.now() - start).toBeLessThan(4000)
    await hanging.closed()
    expect((await contentAt('hanging.bin')).equals(FILE)).toBe(true)
    expect(await uploadedCount('hanging.bin')).toBe(1)
    expectAck(await connection.exchange(closeSession(path, id)), { status: 200, session: id })
  })

  test('deliver once if the last fragment is sent again to another worker during a slow delivery', async () => {
    const path = '/uploads/slow.bin'
    const first = await connect()
    const id = await openSession(first.connection, path)
    first.connection.write(fragment(path, id, FILE))
    while (events('slow.bin', 'onUpload').length === 0) await pause(20)
    const others = [await connectElsewhere(first.worker), await connectElsewhere(first.worker)]
    const acks = others.map(({ connection }) => connection.exchange(fragment(path, id, FILE, 1000)))
    for (const ack of [await first.connection.ack(), await Promise.any(acks)]) {
      expectAck(ack, { status: 200, session: id, offset: FILE.length })
      expect(ack.header('BITS-Reply-URL')).toContain(id)
    }
    await Promise.allSettled(acks)
    expect(events('slow.bin', 'onUpload')).toHaveLength(1)
    expect(await uploadedCount('slow.bin')).toBe(1)
    const closing = await connect()
    expectAck(await closing.connection.exchange(closeSession(path, id)), { status: 200, session: id })
  })

  test('take over the session of a killed worker within a few seconds', async () => {
    const { ack, id, milliseconds } = await takenOver
    expectAck(ack, { status: 200, session: id, offset: FILE.length })
    expect(milliseconds).toBeLessThan(20_000)
    expect((await contentAt('orphan.bin')).equals(FILE)).toBe(true)
    expect(await uploadedCount('orphan.bin')).toBe(1)
  })

  test('leave no staged data, and no lock of a session', async () => {
    expect(await stagedFiles(directory)).toEqual([])
  })
})

const pause = (milliseconds: number): Promise<void> =>
  new Promise((resolve) => setTimeout(resolve, milliseconds))
