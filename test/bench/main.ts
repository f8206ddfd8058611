import { mkdtemp, rm } from 'node:fs/promises'
import { cpus, loadavg, tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { buildServers } from './build-servers.js'
import { type Entry, nodeEntry } from './contender.js'
import { gets } from './gets.js'
import { type Figures, measure } from './measure.js'
import { nginxEntry } from './nginx.js'
import { measurePasswords, PASSWORD_TITLE, passwordTargets } from './passwords.js'
import { table, targetTable } from './report.js'
import type { Scenario } from './scenario.js'
import { bitsUploadIn, put } from './send-file.js'
import { creates, sessionTargets, storesWithSessions } from './sessions.js'
import { targets } from './targets.js'
import { uploads } from './uploads.js'

const MIB = 1024 * 1024

const { values: options } = parseArgs({
  options: {
    /** Fewer and smaller rounds: under a minute. */
    quick: { type: 'boolean', default: false },
    /** Where the files go: another disk, or memory. */
    directory: { type: 'string', default: tmpdir() },
    /** Only the scenarios with this in their title; then no targets are told. */
    only: { type: 'string', default: '' },
    /** Rounds of each scenario. */
    rounds: { type: 'string' },
  },
})
const { quick } = options

const built = await buildServers()
const scratch = await mkdtemp(join(options.directory, 'bits-bench-'))
const nginx = nginxEntry()
const print = (text: string) => process.stdout.write(`${text}\n`)

/** All that take uploads, for a scenario with fragments of this many bytes. */
const receivers = (fragmentSize: number): Entry[] => [
  nodeEntry('plain server', built, 'plain', put, (directory) => [directory]),
  nodeEntry('middleware, none', built, 'middleware', bitsUploadIn(fragmentSize), (directory) => [
    directory,
    'none',
  ]),
  nodeEntry('middleware, publish', built, 'middleware', bitsUploadIn(fragmentSize), (directory) => [
    directory,
    'publish',
  ]),
  ...(nginx ? [nginx] : []),
]
/** Where the limit of small files is: three packets through Node and Express, and nothing done about them. */
const acksOnly: Entry = {
  ...nodeEntry('Acks, nothing kept', built, 'acks', bitsUploadIn(8 * MIB), () => []),
  keepsNothing: true,
}
const apps: Entry[] = [
  nodeEntry('app without', built, 'hello', put, () => []),
  nodeEntry('app with it', built, 'hello', put, (directory) => [directory]),
]

/** Runs and prints a scenario. Returns the figures of all contenders, in their order; none if it was not asked for. */
async function run(
  scenario: Scenario,
  entries: readonly Entry[],
  rounds: number,
): Promise<readonly Figures[]> {
  if (!scenario.title.includes(options.only)) return []
  const figures = await measure(scenario, entries, Number(options.rounds ?? rounds), scratch)
  print(table(scenario, figures))
  return figures
}

try {
  print(
    `Node ${process.version}, ${cpus().length} processors, load ${loadavg()[0]?.toFixed(1)}, in ${scratch}`,
  )
  print(
    `Ratios are to the first line of each table, pair by pair.${nginx ? '' : ' nginx is not installed.'}\n`,
  )
  const [, large] = await run(
    uploads('One large file, in fragments of 8 MiB', {
      count: 1,
      size: (quick ? 128 : 256) * MIB,
      connections: 1,
    }),
    receivers(8 * MIB),
    quick ? 3 : 9,
  )
  const [, small] = await run(
    uploads('1,000 files of 4 KiB, over 8 connections', { count: 1000, size: 4096, connections: 8 }),
    [...receivers(8 * MIB), acksOnly],
    quick ? 3 : 7,
  )
  const [, many] = await run(
    uploads('32 uploads at once, in fragments of 13 MiB', {
      count: 32,
      size: (quick ? 13 : 26) * MIB,
      connections: 32,
    }),
    receivers(13 * MIB),
    quick ? 2 : 5,
  )
  const [, get] = await run(gets('GET, over 8 connections', quick ? 4000 : 8000, 8), apps, quick ? 7 : 15)
  const others = quick ? 10_000 : 100_000
  const sessions = await run(
    creates('Create-Session while other users have open sessions', 200, 4),
    storesWithSessions(built, others),
    quick ? 10 : 30,
  )
  if (sessions.length > 0) print(targetTable(sessionTargets(sessions)))
  const passwords = PASSWORD_TITLE.includes(options.only)
    ? await measurePasswords(
        nodeEntry('serve', built, 'passwords', put, (directory) => [directory]),
        scratch,
      )
    : undefined
  if (passwords) print(`${PASSWORD_TITLE}\n${targetTable(passwordTargets(passwords))}`)
  if (large && small && many && get) print(targetTable(targets({ large, small, many, get })))
} finally {
  await rm(scratch, { recursive: true, force: true })
}
