import { createRequire } from 'node:module'
import { text } from 'node:stream/consumers'

// In a process of its own, as Jest's realms make the analysis ten times slower; in plain JavaScript, without the
// analyser's native program.
process.env.RECHECK_SYNC_BACKEND = 'pure'
const { checkSync } = createRequire(import.meta.url)('recheck')

const expressions = JSON.parse(await text(process.stdin))
const results = expressions.map(({ source, flags }) => {
  const { status, attack } = checkSync(source, flags, { timeout: 60_000, randomSeed: 1 })
  return { status, pumps: attack?.pumps ?? [], suffix: attack?.suffix ?? '' }
})
process.stdout.write(JSON.stringify(results))
