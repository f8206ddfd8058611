import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, it } from '@jest/globals'
import fc from 'fast-check'
import { Authority } from '../support/certificates.js'
import { compare, LISTENER_SETS, Recorder, WAYS } from './differential.js'
import { stream } from './streams.js'
import { memory, type Transport, tcp, tls } from './transports.js'

let directory: string
const transports: Record<string, Transport> = { memory, tcp }
beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'bits-verb-'))
  transports.tls = tls((await Authority.create(directory)).own)
})
afterAll(() => rm(directory, { recursive: true }))

// To run any number of streams: test/verb/fuzz.ts.
describe.each(Object.entries(WAYS))('%s', (_way, patch) => {
  it.each([
    ['memory', 20],
    ['tcp', 4],
    ['tls', 2],
  ])('shows the app the same requests as a server that receives BIND, over %s', async (name, numRuns) => {
    const transport = transports[name] ?? memory
    for (const events of LISTENER_SETS) {
      const ours = new Recorder(transport, events, patch)
      const native = new Recorder(transport, events)
      try {
        await fc.assert(
          fc.asyncProperty(stream, (each) => compare(ours, native, each)),
          { numRuns },
        )
      } finally {
        ours.close()
        native.close()
      }
    }
  })
})
