import { execFileSync } from 'node:child_process'
import { writeFileSync } from 'node:fs'
import { cpus, loadavg } from 'node:os'
import { parseArgs } from 'node:util'
import { buildServers } from './build-servers.js'
import { type Entry, nodeEntry } from './contender.js'
import { apps, MIB, receivers, smallFileReceivers, watchedReceivers } from './contenders.js'
import { type Figures, measure } from './measure.js'
import { nodeProgram } from './node-program.js'
import {
  measureOpenSessions,
  OPEN_SESSIONS_TITLE,
  openSessionsTable,
  openSessionsTargets,
} from './open-sessions.js'
import { measurePasswords, PASSWORD_TITLE, passwordTargets } from './passwords.js'
import { type Target, table, targetTable } from './report.js'
import { measureS3, S3_TITLE } from './s3-upload.js'
import type { Scenario } from './scenario.js'
import { scenarios } from './scenarios.js'
import { put } from './send-file.js'
import { creates, sessionTargets, storesWithSessions } from './sessions.js'
import { targets } from './targets.js'
import { createWorkspace, memoryWorkspace, type Workspace } from './workspace.js'

const { values: options } = parseArgs({
  options: {
    /** Fewer and smaller rounds: about a minute. */
    quick: { type: 'boolean', default: false },
    /** Directory for the files, instead of a new ext4 image or memory. */
    directory: { type: 'string' },
    /** Only the scenarios whose title contains this. */
    only: { type: 'string', default: '' },
    rounds: { type: 'string' },
    /** Version of the Node that runs the servers, as npm names it. */
    node: { type: 'string' },
    /** File to write all figures to as JSON, in addition to the text. */
    json: { type: 'string' },
  },
})
const { quick } = options

const programs = { built: await buildServers(), node: nodeProgram(options.node) }
const nodeVersion = execFileSync(programs.node, ['--version'], { encoding: 'utf8' }).trim()
const workspace = createWorkspace(options.directory)
const memory = memoryWorkspace()
const results: { title: string; fileSystem: string; figures: readonly Figures[] }[] = []
const print = (text: string) => process.stdout.write(`${text}\n`)

/**
 * Measures a scenario and prints it. Returns the figures of all contenders in order; an empty list if `--only` excludes
 * it.
 */
async function run(
  scenario: Scenario,
  entries: readonly Entry[],
  rounds: number,
  { path, fileSystem }: Workspace = workspace,
): Promise<readonly Figures[]> {
  if (!scenario.title.includes(options.only)) return []
  const figures = await measure(scenario, entries, Number(options.rounds ?? rounds), path)
  print(table(scenario, figures))
  results.push({ title: scenario.title, fileSystem, figures })
  return figures
}

const started = {
  node: nodeVersion,
  processors: cpus().length,
  processor: cpus()[0]?.model,
  load: loadavg()[0],
  fileSystem: workspace.fileSystem,
}
const all: Target[] = []

try {
  print(
    `Node ${nodeVersion}, ${started.processors} processors, load ${started.load?.toFixed(1)}, files on ${workspace.fileSystem}`,
  )
  print('Ratios are to the first line of each table, pair by pair.\n')
  const work = scenarios(quick)
  const [, large] = await run(work.large, receivers(programs, 8 * MIB), quick ? 3 : 9)
  const [, warmedUp] = memory
    ? await run(work.warmedUp, receivers(programs, 8 * MIB).slice(0, 2), quick ? 3 : 9, memory)
    : []
  const smallFiles = await run(
    work.small,
    [...receivers(programs, 8 * MIB), ...smallFileReceivers(programs)],
    quick ? 3 : 7,
  )
  const [plainWatched, smallWatched, acksWatched] = await run(
    work.smallWatched,
    watchedReceivers(programs),
    // Enough for a round in which nothing else needs the processors.
    quick ? 7 : 21,
  )
  const [, many] = await run(work.many, receivers(programs, 13 * MIB), quick ? 2 : 5)
  const [, get] = await run(work.get, apps(programs), quick ? 7 : 15)
  const sessions = await run(
    creates('Create-Session while other users have open sessions', 200, 4),
    storesWithSessions(programs, quick ? 10_000 : 100_000),
    quick ? 10 : 30,
  )
  const small = smallFiles[1]
  const smallPrototypes = smallFiles.find(({ name }) => name.endsWith('prototypes'))
  all.push(
    ...targets({
      large,
      warmedUp,
      small,
      smallPrototypes,
      plainWatched,
      smallWatched,
      acksWatched,
      many,
      get,
    }),
    ...sessionTargets(sessions),
  )
  if (PASSWORD_TITLE.includes(options.only)) {
    const serve = nodeEntry('serve', programs, 'passwords', put, (directory) => [directory])
    all.push(...passwordTargets(await measurePasswords(serve, workspace.path)))
  }
  if (OPEN_SESSIONS_TITLE.includes(options.only)) {
    const stores = await measureOpenSessions(quick ? 2000 : 100_000, workspace.path)
    print(openSessionsTable(stores))
    all.push(...openSessionsTargets(stores))
  }
  if (S3_TITLE.includes(options.only)) all.push(...(await measureS3(128 * MIB, quick ? 3 : 7)))
  print(targetTable(all))
} finally {
  workspace.remove()
  memory?.remove()
}
if (options.json !== undefined)
  writeFileSync(options.json, `${JSON.stringify({ ...started, results, targets: all }, undefined, 2)}\n`)
