// Adds up the results of .ci/run in a directory: <name>.check says "passed" or "failed", <name>.json is jest's report.
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'

const directory = process.argv[2]
const total = { passed: 0, failed: 0, skipped: 0 }
const failures = []

for (const file of readdirSync(directory).sort()) {
  if (!file.endsWith('.check')) continue
  const name = file.slice(0, -'.check'.length)
  const passed = readFileSync(join(directory, file), 'utf8').trim() === 'passed'
  const tests = testsOf(join(directory, `${name}.json`))
  total.passed += tests ? tests.passed : Number(passed)
  // A run may fail without a failed test: too little coverage, for example.
  const failed = tests?.failed || Number(!passed)
  total.failed += failed
  total.skipped += tests?.skipped ?? 0
  if (failed) failures.push(name)
}

if (failures.length > 0) console.log(`\nFailed: ${failures.join(', ')}`)
const skipped = total.skipped > 0 ? `, ${total.skipped} skipped` : ''
console.log(`${total.passed} passed, ${total.failed} failed${skipped}`)
if (total.failed > 0 || total.passed === 0) process.exitCode = 1

/** Returns undefined for a check that is not a run of jest, or that died before it wrote its report. */
function testsOf(path) {
  if (!existsSync(path)) return undefined
  const report = JSON.parse(readFileSync(path, 'utf8'))
  return {
    passed: report.numPassedTests,
    failed: report.numFailedTests + report.numRuntimeErrorTestSuites,
    skipped: report.numPendingTests + report.numTodoTests,
  }
}
