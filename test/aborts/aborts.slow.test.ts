import { readFile, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals'
import { bytes } from '../support/bytes.js'
import { ChildServer, type Figures } from '../support/child-server.js'
import { openFiles, stagedFiles } from '../support/files.js'
import { cancelSession, openSession, RawConnection } from '../support/raw.js'
import { ResumingClient } from '../support/resuming-client.js'
import { temporaryDirectory } from '../support/serve.js'
import { tell, times, until } from '../support/soak.js'

const ROUNDS = times(20, 500)
/** Number of concurrent uploads. */
const AT_ONCE = 4
const FILE = bytes(200_000)
const MiB = 1024 * 1024

/** The part of a request that is sent before the connection ends. */
const PLACES: { place: string; part: (request: Buffer, head: number) => Buffer }[] = [
  { place: 'before the head ends', part: (request, head) => request.subarray(0, head - 9) },
  { place: 'after the head', part: (request, head) => request.subarray(0, head) },
  { place: 'in the middle of the body', part: (request, head) => request.subarray(0, head + 25_001) },
  { place: 'a byte before the end', part: (request) => request.subarray(0, -1) },
  { place: 'a byte after the end', part: (request) => Buffer.concat([request, Buffer.from('X')]) },
]
const ENDS = [
  { end: 'FIN', by: (connection: RawConnection) => connection.end() },
  { end: 'RST', by: (connection: RawConnection) => connection.reset() },
]

let directory: Awaited<ReturnType<typeof temporaryDirectory>>
let server: ChildServer
let count = 0

beforeAll(async () => {
  directory = await temporaryDirectory()
  server = await ChildServer.start(directory.path)
})

afterAll(async () => {
  await server.kill()
  await directory.remove()
})

interface Way {
  part(request: Buffer, head: number): Buffer
  by(connection: RawConnection): void
}

/** An upload whose second fragment is interrupted. Another connection then resumes or cancels it. */
async function interruptedUpload({ part, by }: Way, resume: boolean): Promise<void> {
  const name = `${++count}.bin`
  const path = `/uploads/${name}`
  const client = new ResumingClient({ port: server.port, path, file: FILE, fragmentSize: 70_000 })
  const connection = await RawConnection.open(server.port)
  client.id = await openSession(connection, path)
  await client.sendNext(connection)
  expect(client.acknowledged).toBe(70_000)

  const request = client.nextFragment()
  connection.write(part(request, request.indexOf('\r\n\r\n') + 4))
  // The server may have read all or nothing of it when the connection ends.
  await delay(count % 4)
  by(connection)

  if (resume) {
    await client.finish()
    expect((await readFile(join(directory.path, name))).equals(FILE)).toBe(true)
    await rm(join(directory.path, name))
  } else {
    const next = await RawConnection.open(server.port)
    next.write(cancelSession(path, client.id))
    expect((await next.ack()).status).toBe(200)
    next.end()
  }
}

async function repeat(way: Way, rounds: number): Promise<void> {
  let left = rounds
  const worker = async () => {
    while (left-- > 0) await interruptedUpload(way, left % 3 !== 0)
  }
  await Promise.all(Array.from({ length: AT_ONCE }, worker))
}

/** Checks that nothing is left of any upload. Returns the memory that the process then uses. */
async function settled(): Promise<Figures> {
  await until(async () => (await server.figures()).connections === 0)
  expect(await openFiles(directory.path, server.pid)).toEqual([])
  expect(await stagedFiles(directory.path)).toEqual([])
  const figures = await server.figures()
  expect(figures.sessions).toBe(0)
  expect(figures.errors).toEqual([])
  return figures
}

describe.each(ENDS)('a connection that ends by $end', ({ by }) => {
  test.each(PLACES)(
    '$place costs only time',
    async ({ place, part }) => {
      await repeat({ part, by }, 12)
      const before = await settled()
      await repeat({ part, by }, ROUNDS)
      const after = await settled()
      tell(`${place}, ${ROUNDS} times: heap ${inMiB(after.heapUsed - before.heapUsed)}`)
      expect(after.heapUsed - before.heapUsed).toBeLessThan(2 * MiB)
      expect(after.arrayBuffers - before.arrayBuffers).toBeLessThan(MiB)
    },
    600_000,
  )
})

test('a client that vanishes silently is preempted by its next connection, and loses nothing', async () => {
  const path = '/uploads/vanished.bin'
  const client = new ResumingClient({ port: server.port, path, file: FILE, fragmentSize: 150_000 })
  const vanished = await RawConnection.open(server.port)
  client.id = await openSession(vanished, path)
  const request = client.nextFragment()
  vanished.write(request.subarray(0, -1))
  await delay(50)
  const started = Date.now()
  await client.finish()
  expect(Date.now() - started).toBeLessThan(10_000)
  expect((await readFile(join(directory.path, 'vanished.bin'))).equals(FILE)).toBe(true)
  vanished.reset()
  await settled()
})

const inMiB = (count: number): string => `${(count / MiB).toFixed(1)} MiB`
