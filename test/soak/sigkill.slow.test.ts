import { readdir, readFile, rm, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { afterAll, beforeAll, expect, test } from '@jest/globals'
import { sessionKey } from '../../lib/protocol/session-id.js'
import { bytes } from '../support/bytes.js'
import { ChildServer } from '../support/child-server.js'
import { stagedFiles } from '../support/files.js'
import { ResumingClient } from '../support/resuming-client.js'
import { temporaryDirectory } from '../support/serve.js'
import { tell, times, until } from '../support/soak.js'

/** `SOAK_KILLS` sets a larger number: 1,000 take half an hour, or more on a busy machine. */
const KILLS = Number(process.env.SOAK_KILLS ?? times(5, 50))
const CLIENTS = 4
/** Long enough for several files of each client. */
const MOST_MILLISECONDS_BETWEEN_KILLS = 400
/** Milliseconds. A client that is delayed by kills and by other work on the machine has not failed. */
const TEST_TIMEOUT = 2 * 60 * 60 * 1000
const MiB = 1024 * 1024
const FILE = bytes(MiB + 345)
const FRAGMENT = 100_000

let directory: Awaited<ReturnType<typeof temporaryDirectory>>
let server: ChildServer

beforeAll(async () => {
  directory = await temporaryDirectory()
  server = await ChildServer.start(directory.path)
})

afterAll(async () => {
  await server.kill()
  await directory.remove()
})

/** Watches a destination: there must be either nothing or the whole file. */
class Watcher {
  readonly sizes = new Set<number>()
  #watching = true
  readonly #done: Promise<void>

  constructor(path: string) {
    this.#done = this.#watch(path)
  }

  async stop(): Promise<void> {
    this.#watching = false
    await this.#done
  }

  async #watch(path: string): Promise<void> {
    while (this.#watching) {
      const facts = await stat(path).catch(() => undefined)
      if (facts) this.sizes.add(facts.size)
      await delay(1)
    }
  }
}

/** The number of bytes on the disk for an upload. The name of its staged data is the digest of its session id. */
async function bytesOnDisk(destination: string, sessionId: string): Promise<number> {
  const published = await stat(destination).catch(() => undefined)
  if (published) return published.size
  const uploadId = sessionKey(sessionId)
  const part = join(directory.path, 'BITS-Sessions', `${uploadId}.part`)
  return (await stat(part).catch(() => undefined))?.size ?? 0
}

/** Uploads one file after another until it is stopped, and checks each. */
class Uploader {
  client: ResumingClient | undefined
  destination = ''
  files = 0
  readonly #number: number
  #uploading = true

  constructor(number: number) {
    this.#number = number
  }

  stop(): void {
    this.#uploading = false
  }

  async run(port: number): Promise<void> {
    while (this.#uploading) {
      const name = `${this.#number}-${this.files++}.bin`
      this.destination = join(directory.path, name)
      const watcher = new Watcher(this.destination)
      this.client = new ResumingClient({
        ...{ port, path: `/uploads/${name}` },
        ...{ file: FILE, fragmentSize: FRAGMENT },
      })
      // The client itself fails when the server requests acknowledged bytes.
      await this.client.finish(TEST_TIMEOUT)
      await watcher.stop()
      expect((await readFile(this.destination)).equals(FILE)).toBe(true)
      expect([...watcher.sizes].filter((size) => size !== FILE.length)).toEqual([])
      await rm(this.destination)
    }
  }

  /** All acknowledged bytes are on the disk, now that the server is dead. */
  async check(): Promise<void> {
    const { client, destination } = this
    if (!client?.id || client.isFinished) return
    const { acknowledged, id } = client
    expect(await bytesOnDisk(destination, id)).toBeGreaterThanOrEqual(acknowledged)
  }
}

test(
  `a server with ${CLIENTS} clients that is killed ${KILLS} times loses no acknowledged byte, and shows no partial file`,
  async () => {
    const { port } = server
    const uploaders = Array.from({ length: CLIENTS }, (_, n) => new Uploader(n))
    let failure: unknown
    const runs = uploaders.map((uploader) =>
      uploader.run(port).catch((error: unknown) => {
        failure ??= error
      }),
    )
    for (let kills = 1; kills <= KILLS && failure === undefined; kills++) {
      await delay(Math.random() * MOST_MILLISECONDS_BETWEEN_KILLS)
      await server.kill()
      for (const uploader of uploaders) await uploader.check()
      server = await ChildServer.start(directory.path, port)
      const files = uploaders.reduce((sum, uploader) => sum + uploader.files, 0)
      if (kills % 10 === 0) tell(`${kills} kills, ${files} files`)
    }
    for (const uploader of uploaders) uploader.stop()
    await Promise.all(runs)
    if (failure !== undefined) throw failure
    // The sweep at the next start removes what a kill left of a published file.
    await server.kill()
    server = await ChildServer.start(directory.path, port)
    await until(async () => (await leftovers()).every(({ size }) => size === 0))
    // A kill before the Ack of Create-Session leaves a session that no client knows, without bytes. A kill while its
    // staged data, or a probe, is being created leaves an empty file.
    for (const { name } of await leftovers()) expect(name).toMatch(/^BITS-Sessions|^\.bits-/)
    expect(await server.figures()).toMatchObject({ errors: [] })
  },
  TEST_TIMEOUT,
)

async function leftovers(): Promise<{ name: string; size: number }[]> {
  const names = [
    ...(await stagedFiles(directory.path)).map((name) => join('BITS-Sessions', name)),
    ...(await readdir(directory.path)).filter((name) => name !== 'BITS-Sessions'),
  ]
  const facts = await Promise.all(
    names.map((name) => stat(join(directory.path, name)).catch(() => undefined)),
  )
  return names.flatMap((name, n) => (facts[n] ? [{ name, size: facts[n].size }] : []))
}
