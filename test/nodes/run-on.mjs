// Runs the tests on other versions of Node from npm:
//   node test/nodes/run-on.mjs [22 24 latest ...] [arguments of jest]
import { spawnSync } from 'node:child_process'
import { mkdirSync } from 'node:fs'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

const root = join(dirname(fileURLToPath(import.meta.url)), '..', '..')
const isVersion = (argument) => /^(\d+(\.\d+)*|latest)$/.test(argument)

const args = process.argv.slice(2)
const firstOther = args.findIndex((argument) => !isVersion(argument))
const asked = firstOther < 0 ? args : args.slice(0, firstOther)
const jestArgs = args.slice(asked.length)
const versions = asked.length > 0 ? asked : ['22', '24', 'latest']

// Platform packages of `node`, whose install script fetches one. Npm may be configured not to run scripts.
const platform = process.platform === 'win32' ? 'win' : process.platform
const prefix = platform === 'darwin' && process.arch === 'arm64' ? 'node-bin' : 'node'
const name = `${prefix}-${platform}-${process.arch}`

/** Installs a version once. Returns the path of its binary. */
function install(version) {
  const directory = join(root, 'node_modules', '.cache', 'nodes', version)
  mkdirSync(directory, { recursive: true })
  const options = ['--no-audit', '--no-fund', '--no-package-lock', '--prefer-offline', '--loglevel=error']
  const npm = spawnSync('npm', ['install', '--prefix', directory, ...options, `${name}@${version}`], {
    encoding: 'utf8',
    shell: process.platform === 'win32',
  })
  if (npm.status !== 0)
    throw new Error(`npm could not install ${name}@${version}: ${npm.stderr || npm.error}`)
  const manifest = join(directory, 'node_modules', name, 'package.json')
  return join(dirname(manifest), createRequire(manifest)(manifest).bin.node)
}

/** Returns a one-line summary. Writes the output of jest to stderr if it failed. */
function run(version) {
  const node = install(version)
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
