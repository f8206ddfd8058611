import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFile } from 'node:fs/promises'
import { fileURLToPath } from 'node:url'
import { expect, test } from '@jest/globals'
import { MIB, sample } from '../storage/s3/support.js'
import { BUCKET, FakeS3 } from '../support/fake-s3/fake-s3.js'
import { closeSession, openSession, packet, RawConnection } from '../support/raw.js'
import { tell, times } from '../support/soak.js'

const SCRIPT = fileURLToPath(new URL('../fixtures/s3-upload-server.ts', import.meta.url))
const CLIENTS = times(40, 200)
const MAX_BUFFERED = 64 * MIB
const CHUNK = 64 * 1024

/** Memory that the process may use in addition to the bytes of uploads: connections, the SDK, and garbage. */
const ALLOWED = MAX_BUFFERED + 128 * MIB

async function start(s3: FakeS3): Promise<{ child: ChildProcess; port: number }> {
  const settings = { endpoint: s3.endpoint, bucket: BUCKET, maxBuffered: MAX_BUFFERED }
  const child = spawn(process.execPath, ['--import', 'tsx', SCRIPT, JSON.stringify(settings)], {
    stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
  })
  const [message] = await once(child, 'message')
  return { child, port: Number(Reflect.get(message, 'port')) }
}

async function residentMemory(pid: number | undefined): Promise<number> {
  const status = await readFile(`/proc/${pid}/status`, 'latin1')
  return Number(/^VmRSS:\s+(\d+) kB$/m.exec(status)?.[1]) * 1024
}

/** Monitors the memory of a process while `work` runs. Returns the maximum growth. */
async function growthDuring(pid: number | undefined, work: () => Promise<void>): Promise<number> {
  const before = await residentMemory(pid)
  let most = before
  let isOver = false
  const sampling = (async () => {
    while (!isOver) {
      most = Math.max(most, await residentMemory(pid))
      await new Promise((resolve) => setTimeout(resolve, 10))
    }
  })()
  await work().finally(() => {
    isOver = true
  })
  await sampling
  return most - before
}

test.each([
  ['5 and 2 MiB', [5 * MIB, 2 * MIB]],
  ['256 KiB', Array<number>(8).fill(MIB / 4)],
])(
  `${CLIENTS} slow clients with fragments of %s hold no more memory than allowed, publications included`,
  async (_, fragments) => {
    const s3 = await FakeS3.start()
    const { child, port } = await start(s3)
    try {
      const content = sample(fragments.reduce((sum, length) => sum + length, 0))
      const clients = await Promise.all(
        Array.from({ length: CLIENTS }, async (_, n) => {
          const path = `/uploads/${n}.bin`
          const connection = await RawConnection.open(port)
          return { path, connection, id: await openSession(connection, path) }
        }),
      )
      const growth = await growthDuring(child.pid, async () => {
        let first = 0
        for (const length of fragments) {
          await sendSideBySide(clients, content, first, length)
          first += length
        }
        for (const { path, connection, id } of clients) connection.write(closeSession(path, id))
        for (const { connection } of clients) expect((await connection.ack()).status).toBe(200)
      })
      tell(`memory grew by ${(growth / MIB).toFixed(0)} MiB at most`)
      expect(growth / MIB).toBeLessThan(ALLOWED / MIB)
      for (const { connection } of clients) connection.end()
      expect(s3.objects.keys).toHaveLength(CLIENTS)
      for (const key of s3.objects.keys) expect(s3.objects.find(key)?.bytes.equals(content)).toBe(true)
    } finally {
      child.kill('SIGKILL')
      await s3.close()
    }
  },
  900_000,
)

interface Client {
  readonly path: string
  readonly connection: RawConnection
  readonly id: string
}

/** Sends one fragment from each client, so that all are in the middle of theirs at the same time. */
async function sendSideBySide(
  clients: readonly Client[],
  content: Buffer,
  first: number,
  length: number,
): Promise<void> {
  for (const { path, connection, id } of clients) {
    const range = `bytes ${first}-${first + length - 1}/${content.length}`
    connection.write(
      packet('Fragment', path, { 'BITS-Session-Id': id, 'Content-Range': range, 'Content-Length': length }),
    )
  }
  for (let at = 0; at < length; at += CHUNK) {
    for (const { connection } of clients) {
      connection.write(content.subarray(first + at, first + Math.min(length, at + CHUNK)))
    }
    await new Promise((resolve) => setTimeout(resolve, 5))
  }
  for (const { connection } of clients) expect((await connection.ack()).status).toBe(200)
}
