// Runs the tests on other versions of Node from npm:
//   node test/nodes/run-on.mjs [22 24 latest ...] [arguments of jest]
import { spawnSync } from 'node:child_process'
import { join } from 'node:path'
import { installNode } from './install.mjs'

const root = join(import.meta.dirname, '../..')
const isVersion = (argument) => /^(\d+(\.\d+)*|latest)$/.test(argument)

const args = process.argv.slice(2)
const firstOther = args.findIndex((argument) => !isVersion(argument))
const asked = firstOther < 0 ? args : args.slice(0, firstOther)
const jestArgs = args.slice(asked.length)
const versions = asked.length > 0 ? asked : ['22', '24', 'latest']

/** Returns a one-line summary. Writes the output of jest to stderr if it failed. */
function run(version) {
  const node = installNode(version).binary
  const exact = spawnSync(node, ['--version'], { encoding: 'utf8' }).stdout.trim()
  const jest = join(root, 'node_modules', 'jest', 'bin', 'jest.js')
  const flags = ['--experimental-vm-modules', '--disable-warning=ExperimentalWarning']
  const { status, stdout, stderr, error } = spawnSync(node, [...flags, jest, ...jestArgs], {
    cwd: root,
    encoding: 'utf8',
    maxBuffer: 2 ** 28,
  })
  const summary = /^Tests: +(.*)$/m.exec(stderr)?.[1] ?? 'no tests were run'
  if (status === 0) return `Node ${exact}: passed (${summary})`
  process.stderr.write(`${stdout}${stderr}${error ?? ''}\n`)
  process.exitCode = 1
  return `Node ${exact}: FAILED (${summary})`
}

for (const version of versions) {
  try {
    console.log(run(version))
  } catch (error) {
    console.log(`Node ${version}: FAILED (${error instanceof Error ? error.message : error})`)
    process.exitCode = 1
  }
}
