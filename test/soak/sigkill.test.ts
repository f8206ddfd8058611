import { readdir, readFile, rm, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { afterAll, beforeAll, expect, test } from '@jest/globals'
import { bytes } from '../support/bytes.js'
import { ChildServer } from '../support/child-server.js'
import { stagedFiles } from '../support/files.js'
import { ResumingClient } from '../support/resuming-client.js'
import { temporaryDirectory } from '../support/serve.js'
import { tell, times } from '../support/soak.js'

const KILLS = times(5, 50)
const MiB = 1024 * 1024
const FILE = bytes(12 * MiB + 345)
const FRAGMENT = 700_000

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

/** Looks at a destination all the time: there must be nothing, or the whole file. */
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

/** What there is on the disk of the one upload under way, in bytes. */
async function bytesOnDisk(destination: string): Promise<number> {
  const published = await stat(destination).catch(() => undefined)
  if (published) return published.size
  const [part] = (await stagedFiles(directory.path)).filter((name) => name.endsWith('.part'))
  return part ? (await stat(join(directory.path, 'BITS-Sessions', part))).size : 0
}

/** Kills the server when the client has got `progress` (0 to 1) of the way, and a moment more. */
async function killAt(client: ResumingClient, progress: number, moment: number): Promise<void> {
  const deadline = Date.now() + 10_000
  while (client.acknowledged < progress * FILE.length && Date.now() < deadline) await delay(0)
  await delay(moment)
  await server.kill()
}

test(`a server that is killed ${KILLS} times in a row loses nothing it acknowledged, and shows no part of a file`, async () => {
  let kills = 0
  for (let n = 1; kills < KILLS; n++) {
    const name = `${n}.bin`
    const destination = join(directory.path, name)
    const watcher = new Watcher(destination)
    const target = { port: server.port, path: `/uploads/${name}`, file: FILE, fragmentSize: FRAGMENT }
    const client = new ResumingClient(target)
    const upload = client.finish(60_000)
    // Up to three times in one upload, also after its last byte and during its publication.
    for (let left = 1 + (n % 3); left > 0 && kills < KILLS; left--) {
      const progress = client.acknowledged / FILE.length
      await killAt(client, progress + Math.random() * (1 - progress), Math.random() * 8)
      kills++
      const { acknowledged } = client
      expect(await bytesOnDisk(destination)).toBeGreaterThanOrEqual(acknowledged)
      // From here on the client itself fails when it is asked for anything that was acknowledged.
      server = await ChildServer.start(directory.path, target.port)
      tell(`kill ${kills}: ${name} at ${acknowledged} of ${FILE.length} bytes`)
    }
    await upload
    await watcher.stop()
    expect((await readFile(destination)).equals(FILE)).toBe(true)
    expect([...watcher.sizes].filter((size) => size !== FILE.length)).toEqual([])
    expect(await stagedFiles(directory.path)).toEqual([])
    expect((await readdir(directory.path)).sort()).toEqual([name, 'BITS-Sessions'].sort())
    await rm(destination)
  }
  expect(await server.figures()).toMatchObject({ sessions: 0, errors: [] })
}, 420_000)
