import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { readdir } from 'node:fs/promises'
import { PassThrough } from 'node:stream'
import { setTimeout as delay } from 'node:timers/promises'
import { never, streamOf } from './bodies.js'
import type { ContractClauses } from './runner.js'
import type { StorageBench } from './storage-bench.js'

const ROUNDS = 6

/** Milliseconds during which nothing has closed, and those between two looks. */
const SETTLED = 500
const PAUSE = 50

/** Resources that an adapter may forget to release. */
export const HANDLES: ContractClauses<StorageBench> = {
  handles: {
    'files and connections are closed, however an upload ends': async (bench) => {
      // Connections that are kept for reuse are open after the first rounds.
      for (let n = 0; n < ROUNDS; n++) await useEverything(bench, `before-${n}`)
      const before = await openHandles()
      if (before === undefined) return
      for (let n = 0; n < ROUNDS; n++) await useEverything(bench, `after-${n}`)
      const open = (await openHandles()) ?? 0
      const grown = open - before
      assert.ok(grown <= ROUNDS / 2, `${ROUNDS} rounds of uploads left ${grown} files or connections open.`)
    },
  },
}

/** Number of open files and connections, once pending closes are done; `undefined` if the system does not report it. */
async function openHandles(): Promise<number | undefined> {
  let open = Number.POSITIVE_INFINITY
  for (let waited = 0; waited < SETTLED; waited += PAUSE) {
    const names = await readdir('/proc/self/fd').catch(() => undefined)
    if (!names) return undefined
    if (names.length < open) waited = 0
    open = Math.min(open, names.length)
    await delay(PAUSE)
  }
  return open
}

async function useEverything(bench: StorageBench, name: string): Promise<void> {
  const { storage } = bench
  const upload = await bench.begun(name, 150_000)
  const content = randomBytes(150_000)
  const aborted = new PassThrough()
  aborted.write(content.subarray(0, 50_000))
  const stop = new AbortController()
  const appended = (async () => storage.append(upload, 0, aborted, stop.signal))()
  stop.abort()
  const kept = await appended
  await storage.append(upload, kept, streamOf(content.subarray(kept)), never())
  const reading = storage.read(upload)
  await once(reading, 'readable')
  reading.destroy()
  await bench.stagedContent(upload)
  await Promise.allSettled([(async () => storage.publish({ ...upload, total: 1 }, { overwrite: false }))()])
  await storage.publish(upload, { overwrite: false })
  await storage.has(name)
  await storage.discard(upload)
  await storage.received(upload)
}
