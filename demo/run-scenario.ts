import { createHash } from 'node:crypto'
import { pipeline } from 'node:stream/promises'
import { type CuttableConnection, openLine } from './cut-connection.js'
import type { Scenario } from './scenario.js'
import { mib, say } from './terminal.js'
import { uploadWithInterruptions } from './upload-with-interruptions.js'

/** Fast enough to hold attention, slow enough to watch. */
const BYTES_PER_SECOND = 16 * 1024 * 1024

/**
 * Uploads the file over a connection that is cut once, to a server that restarts once. Throws unless the whole file
 * arrived.
 */
export async function runScenario(scenario: Scenario): Promise<void> {
  const { server, file } = scenario
  const { hostname } = new URL(server.origin)
  const line = await openLine({ host: hostname.replace(/[[\]]/g, ''), port: server.port }, BYTES_PER_SECOND)
  try {
    say(`Uploading ${mib(file.size)} of pseudo-random bytes over a line of ${mib(BYTES_PER_SECOND)}/s.`)
    say('During the upload, the connection is cut once, and the server restarts once.')
    say()
    await uploadAndCompare(scenario, line)
  } finally {
    await line.close()
  }
}

async function uploadAndCompare(scenario: Scenario, line: CuttableConnection): Promise<void> {
  const { server, file, name, signal } = scenario
  const started = Date.now()
  const sessions = await uploadWithInterruptions(scenario, line)
  const seconds = (Date.now() - started) / 1000
  const received = await sha256Of(`${server.origin}/uploads/${name}`, signal)
  say()
  say('What happened')
  say(`  Uploaded      ${mib(file.size)} in ${seconds.toFixed(1)} s, sessions used: ${sessions}`)
  say(`  Sent twice    ${mib(Math.max(line.carried - file.size, 0))}, what was in flight at the two breaks`)
  say(`  SHA-256 sent  ${file.sha256}`)
  say(`  SHA-256 got   ${received}`)
  if (received !== file.sha256) throw new Error('The file that arrived is not the file that was sent.')
  if (sessions !== 1) throw new Error('The upload started over instead of continuing where it was.')
  say('  They are the same. Both times the upload continued where it was.')
}

/** Computed from a downloaded copy of the file. */
async function sha256Of(url: string, signal: AbortSignal): Promise<string> {
  const response = await fetch(url, { signal })
  if (!response.ok || !response.body) throw new Error(`GET ${url} was answered ${response.status}.`)
  const hash = createHash('sha256')
  await pipeline(response.body, hash)
  return hash.digest('hex')
}
