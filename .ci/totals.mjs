// Adds up the results of .ci/run in a directory: <name>.check says "passed" or "failed", <name>.json is jest's report,
// <name>.log is the output.
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { failuresOf } from './failures.mjs'

/** More would push the first ones out of the end of the log. */
const SHOWN = 30

const directory = process.argv[2]
const total = { passed: 0, failed: 0, skipped: 0 }
const failedChecks = []
const failures = []

for (const file of readdirSync(directory).sort()) {
  if (!file.endsWith('.check')) continue
  const name = file.slice(0, -'.check'.length)
  const passed = readFileSync(join(directory, file), 'utf8').trim() === 'passed'
  const report = reportOf(name)
  const tests = report && countsOf(report)
  total.passed += tests ? tests.passed : Number(passed)
  // A run may fail without a failed test: too little coverage, for example.
  const failed = tests?.failed || Number(!passed)
  total.failed += failed
  total.skipped += tests?.skipped ?? 0
  if (failed) {
    failedChecks.push(name)
    failures.push(...failuresOf(directory, name, report))
  }
}

for (const failure of failures.slice(0, SHOWN)) console.log(`\n${failure}`)
const hidden = failures.slice(SHOWN)
if (hidden.length > 0) {
  console.log('\nAlso failed:')
  for (const failure of hidden) console.log(failure.split('\n').slice(0, 2).join(' '))
}
if (failedChecks.length > 0) console.log(`\nFailed: ${failedChecks.join(', ')}`)
const skipped = total.skipped > 0 ? `, ${total.skipped} skipped` : ''
console.log(`${total.passed} passed, ${total.failed} failed${skipped}`)
if (total.failed > 0 || total.passed === 0) process.exitCode = 1

/** Returns undefined for a check that is not a run of jest, or that died before it wrote its whole report. */
function reportOf(name) {
  const path = join(directory, `${name}.json`)
  if (!existsSync(path)) return undefined
  try {
    return JSON.parse(readFileSync(path, 'utf8'))
  } catch {
    return undefined
  }
}

function countsOf(report) {
  return {
    passed: report.numPassedTests,
    failed: report.numFailedTests + report.numRuntimeErrorTestSuites,
    skipped: report.numPendingTests + report.numTodoTests,
  }
}
