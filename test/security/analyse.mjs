import { createRequire } from 'node:module'
import { text } from 'node:stream/consumers'

// Runs in a separate process, because Jest's realms make the analysis ten times slower, and in plain JavaScript,
// without the analyzer's native program.
process.env.RECHECK_SYNC_BACKEND = 'pure'
const { checkSync } = createRequire(import.meta.url)('recheck')

const expressions = JSON.parse(await text(process.stdin))
const results = expressions.map(({ source, flags }) => {
  const { status, attack } = checkSync(source, flags, { timeout: 60_000, randomSeed: 1 })
  return { status, pumps: attack?.pumps ?? [], suffix: attack?.suffix ?? '' }
})
process.stdout.write(JSON.stringify(results))
