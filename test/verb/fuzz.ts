// Compares servers over any number of random streams:
//   npx tsx test/verb/fuzz.ts --streams 20000 --transport tcp --way rewriting --seed 1
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import fc from 'fast-check'
import { Authority } from '../support/certificates.js'
import { compare, LISTENER_SETS, Recorder, WAYS, type Way } from './differential.js'
import { stream } from './streams.js'
import { memory, type Transport, tcp, tls } from './transports.js'

const { values } = parseArgs({
  options: {
    streams: { type: 'string', default: '1000' },
    transport: { type: 'string', default: 'tcp' },
    way: { type: 'string', default: 'restarting' },
    seed: { type: 'string' },
  },
})

async function transportOf(name: string): Promise<Transport> {
  if (name === 'memory') return memory
  if (name === 'tcp') return tcp
  const directory = await mkdtemp(join(tmpdir(), 'bits-fuzz-'))
  const { own } = await Authority.create(directory)
  await rm(directory, { recursive: true })
  return tls(own)
}

const way: Way = values.way === 'restarting' ? 'restarting the parser' : 'rewriting the verb'
const transport = await transportOf(values.transport)
const seed = Number(values.seed ?? Date.now() % 2 ** 31)
const started = performance.now()
let done = 0
for (const [n, events] of LISTENER_SETS.entries()) {
  const ours = new Recorder(transport, events, WAYS[way])
  const native = new Recorder(transport, events)
  const numRuns = Math.ceil(Number(values.streams) / LISTENER_SETS.length)
  const property = fc.asyncProperty(stream, (each) => compare(ours, native, each))
  await fc.assert(property, { numRuns, seed: seed + n })
  done += numRuns
  ours.close()
  native.close()
}
const seconds = ((performance.now() - started) / 1000).toFixed(0)
console.log(
  `${process.version} ${values.transport}, ${way}: ${done} streams, seed ${seed}, ${seconds} s: no difference`,
)
