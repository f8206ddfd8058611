import { text } from 'node:stream/consumers'
import { check } from 'recheck'

// Runs in a separate process, because Jest's realms make the analysis ten times slower. The analyzer starts its native
// program where there is one, which takes a fifth of the CPU time of its JavaScript.
const LIMITS = { timeout: 60_000, randomSeed: 1 }

/** The automaton is exact. Without it, the analyzer only tries random inputs on expressions with long repetitions. */
async function analysisOf(source, flags) {
  const exact = await check(source, flags, { ...LIMITS, checker: 'automaton' })
  return exact.status === 'unknown' ? check(source, flags, LIMITS) : exact
}

const results = []
for (const { source, flags } of JSON.parse(await text(process.stdin))) {
  const { status, attack } = await analysisOf(source, flags)
  results.push({ status, pumps: attack?.pumps ?? [], suffix: attack?.suffix ?? '' })
}
process.stdout.write(JSON.stringify(results))
