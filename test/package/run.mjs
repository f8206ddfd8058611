// Packs dist/ as it would be published, checks the tarball, and installs it into the apps in test/consumers. To build
// first:
//   npm run test:package [consumer ...]
import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { cpSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { gzipSync } from 'node:zlib'
import { unexpectedFiles } from './unexpected-files.mjs'

const root = join(dirname(fileURLToPath(import.meta.url)), '..', '..')
const consumers = join(root, 'test', 'consumers')
const work = mkdtempSync(join(tmpdir(), 'bits-package-'))
process.on('exit', () => rmSync(work, { recursive: true, force: true }))

const INSTALL = ['--no-package-lock', '--prefer-offline', '--no-audit', '--no-fund', '--loglevel=error']

/** Returns the output of the command. Throws with the output when the command fails. */
function run(cwd, command, ...args) {
  const shell = process.platform === 'win32'
  return execFileSync(command, args, { cwd, encoding: 'utf8', stdio: 'pipe', shell, timeout: 300_000 })
}

function pack() {
  const [{ filename, files }] = JSON.parse(
    run(root, 'npm', 'pack', '--ignore-scripts', '--json', '--pack-destination', work),
  )
  return { tarball: join(work, filename), files: files.map(({ path }) => path) }
}

function tryConsumer(name, tarball) {
  const app = join(work, name)
  cpSync(join(consumers, name), app, { recursive: true })
  run(app, 'npm', 'install', ...INSTALL, tarball)
  return run(app, 'npm', '--silent', 'test')
}

const readPackage = (directory) => JSON.parse(readFileSync(join(directory, 'package.json'), 'utf8'))

function check(name, action) {
  try {
    console.log(`ok: ${name}\n${action() ?? ''}`.trim())
  } catch (error) {
    process.exitCode = 1
    console.log(`FAILED: ${name}\n${error.message}\n${error.stdout ?? ''}`)
  }
}

const { tarball, files } = pack()
const asked = process.argv.slice(2)

check('the tarball holds what it should', () => {
  const wrong = unexpectedFiles(root, files)
  if (wrong.length > 0) throw new Error(wrong.join('\n'))
})
check('the module for browsers has less than 6 KB, compressed', () => {
  const { length } = gzipSync(readFileSync(join(root, 'dist', 'browser.js')), { level: 9 })
  if (length >= 6 * 1024) throw new Error(`It has ${length} bytes.`)
  return `${length} bytes`
})
check('npm publishes package.json as it is', () => {
  const copy = join(work, 'published')
  mkdirSync(copy)
  cpSync(join(root, 'package.json'), join(copy, 'package.json'))
  run(copy, 'npm', 'pkg', 'fix')
  assert.deepEqual(readPackage(copy), readPackage(root))
})
check('publint', () => void run(root, 'npx', 'publint', '--strict', tarball))
check('are the types wrong?', () => void run(root, 'npx', 'attw', tarball))
for (const name of asked.length > 0 ? asked : readdirSync(consumers)) {
  check(`consumer ${name}`, () => tryConsumer(name, tarball))
}
