import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { uploadFile } from 'express-bits-upload/client'
import type { Scenario } from './scenario.js'
import { say } from './terminal.js'

const COMPUTERS = 40

/**
 * Uploads a small inventory, and prints the reply of the server application. Throws unless the application read all of
 * it.
 */
export async function showReply(
  stage: Pick<Scenario, 'server' | 'name' | 'credentials' | 'signal'>,
): Promise<void> {
  const { server, name, credentials, signal } = stage
  const directory = await mkdtemp(join(tmpdir(), 'bits-demo-'))
  try {
    const source = join(directory, 'inventory.csv')
    await writeFile(source, inventory())
    say(
      `Uploading an inventory of ${COMPUTERS} computers, a .csv, which a server application reads and answers.`,
    )
    const url = server.origin.replace('//', `//${credentials}@`)
    const { reply } = await uploadFile(source, `${url}/uploads/${name}`, { signal })
    if (!reply) throw new Error('The server application did not reply.')
    say('Its reply, as the client got it:')
    for (const line of reply.toString().trimEnd().split('\n')) say(`  ${line}`)
    const report: unknown = JSON.parse(reply.toString())
    if (!(report instanceof Object && 'rows' in report && report.rows === COMPUTERS)) {
      throw new Error('The server application did not read what was sent.')
    }
  } finally {
    await rm(directory, { recursive: true, force: true })
  }
}

function inventory(): string {
  const rows = Array.from({ length: COMPUTERS }, (_, n) => [
    `PC-${String(n + 1).padStart(4, '0')}`,
    n % 3 === 0 ? 'Windows 10' : 'Windows 11',
    8 * 2 ** (n % 3),
    100 + ((n * 37) % 400),
  ])
  const lines = [['Computer', 'System', 'Memory GiB', 'Free disk GiB'], ...rows].map((row) => row.join(','))
  return `${lines.join('\r\n')}\r\n`
}
