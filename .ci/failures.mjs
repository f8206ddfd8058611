// Describes what failed, so that the end of a long log is enough to know it.
import { existsSync, readFileSync } from 'node:fs'
import { join, relative } from 'node:path'
import { stripVTControlCharacters } from 'node:util'

const LINES = 25
const COLUMNS = 300

/**
 * Returns one text per failed test, or per test file that could not be run. If no test failed, returns the end of the
 * check's output.
 */
export function failuresOf(directory, name, report) {
  const tests = (report?.testResults ?? []).flatMap((file) => failuresIn(file, name))
  return tests.length > 0 ? tests : [`● ${name}\n${endOfOutput(join(directory, `${name}.log`))}`]
}

function failuresIn(file, name) {
  const path = relative(process.cwd(), file.name)
  const failed = file.assertionResults.filter(({ status }) => status === 'failed')
  if (failed.length === 0 && file.status === 'failed')
    return [`● ${name}: ${path}\n${beginningOf(file.message)}`]
  return failed.map(
    ({ fullName, failureMessages }) =>
      `● ${name}: ${path}\n  ${fullName}\n${beginningOf(failureMessages.join('\n'))}`,
  )
}

function beginningOf(message) {
  const lines = linesOf(message)
  const shown = lines.slice(0, LINES)
  // The place in the test, which a long difference can push out of sight.
  const place = lines.slice(LINES).find((line) => /^\s+at .*\.test\.ts:\d+/.test(line))
  if (lines.length > LINES) shown.push('…')
  if (place && !shown.some((line) => line.includes('.test.ts:'))) shown.push(place)
  return indented(shown)
}

function endOfOutput(path) {
  return existsSync(path) ? indented(linesOf(readFileSync(path, 'utf8')).slice(-LINES)) : ''
}

function linesOf(text) {
  return stripVTControlCharacters(text)
    .trimEnd()
    .split('\n')
    .map((line) => (line.length > COLUMNS ? `${line.slice(0, COLUMNS)}…` : line))
}

function indented(lines) {
  return lines.map((line) => `    ${line}`.trimEnd()).join('\n')
}
