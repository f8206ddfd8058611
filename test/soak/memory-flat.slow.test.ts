import { createHash } from 'node:crypto'
import { createReadStream } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from '@jest/globals'
import { bytes } from '../support/bytes.js'
import { ChildServer } from '../support/child-server.js'
import { openFiles, stagedFiles } from '../support/files.js'
import { closeSession, openSession, packet, RawConnection } from '../support/raw.js'
import { temporaryDirectory } from '../support/serve.js'
import { tell, times } from '../support/soak.js'

const MiB = 1024 * 1024
const FRAGMENT = bytes(64 * MiB)
const FRAGMENTS = times(4, 16)
const TOTAL = FRAGMENTS * FRAGMENT.length
const PATH = '/uploads/large.bin'
/** Allowed growth of the process: less than a fragment, and independent of their number. Garbage varies by 30 MiB. */
const ALLOWED = 48 * MiB

test(`${FRAGMENTS} fragments of 64 MiB cost neither memory nor file handles`, async () => {
  const directory = await temporaryDirectory()
  const server = await ChildServer.start(directory.path, 0, { maxFragmentSize: FRAGMENT.length })
  try {
    const connection = await RawConnection.open(server.port)
    const id = await openSession(connection, PATH)
    const sampler = new Sampler(server)
    for (let n = 0; n < FRAGMENTS; n++) {
      if (n === 1) sampler.start()
      const first = n * FRAGMENT.length
      const range = `bytes ${first}-${first + FRAGMENT.length - 1}/${TOTAL}`
      const head = packet('Fragment', PATH, {
        'BITS-Session-Id': id,
        'Content-Range': range,
        'Content-Length': FRAGMENT.length,
      })
      connection.write(head)
      connection.write(FRAGMENT)
      const ack = await connection.ack()
      expect(ack.status).toBe(200)
      expect(ack.header('BITS-Received-Content-Range')).toBe(String(first + FRAGMENT.length))
      expect(await openFiles(directory.path, server.pid)).toEqual([])
    }
    const growth = await sampler.stop()
    tell(`memory grew by ${(growth / MiB).toFixed(1)} MiB at most`)
    expect(growth).toBeLessThan(ALLOWED)

    connection.write(closeSession(PATH, id))
    expect((await connection.ack()).status).toBe(200)
    connection.end()
    expect(await digestOf(createReadStream(join(directory.path, 'large.bin')))).toBe(expectedDigest())
    expect(await stagedFiles(directory.path)).toEqual([])
  } finally {
    await server.kill()
    await directory.remove()
  }
}, 240_000)

/** Monitors the resident memory of a process. Returns the maximum. */
class Sampler {
  readonly #server: ChildServer
  #sampling = false
  #growth: Promise<number> = Promise.resolve(0)

  constructor(server: ChildServer) {
    this.#server = server
  }

  start(): void {
    this.#sampling = true
    this.#growth = this.#sample()
  }

  stop(): Promise<number> {
    this.#sampling = false
    return this.#growth
  }

  async #sample(): Promise<number> {
    const before = await this.#server.rss()
    let most = before
    while (this.#sampling) {
      most = Math.max(most, await this.#server.rss())
      await new Promise((resolve) => setTimeout(resolve, 5))
    }
    return most - before
  }
}

async function digestOf(chunks: AsyncIterable<Buffer>): Promise<string> {
  const hash = createHash('sha1')
  for await (const chunk of chunks) hash.update(chunk)
  return hash.digest('hex')
}

function expectedDigest(): string {
  const hash = createHash('sha1')
  for (let n = 0; n < FRAGMENTS; n++) hash.update(FRAGMENT)
  return hash.digest('hex')
}
