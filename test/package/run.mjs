// Packs the package as it would be published, checks the tarball, and installs it into the apps of test/consumers.
//   npm run test:package [consumer ...]
import { execFileSync } from 'node:child_process'
import { cpSync, mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { unexpectedFiles } from './unexpected-files.mjs'

const root = join(dirname(fileURLToPath(import.meta.url)), '..', '..')
const consumers = join(root, 'test', 'consumers')
const work = mkdtempSync(join(tmpdir(), 'bits-package-'))
process.on('exit', () => rmSync(work, { recursive: true, force: true }))

const INSTALL = ['--no-package-lock', '--prefer-offline', '--no-audit', '--no-fund', '--loglevel=error']

/** Returns what the command printed; throws with it when the command fails. */
function run(cwd, command, ...args) {
  const shell = process.platform === 'win32'
  return execFileSync(command, args, { cwd, encoding: 'utf8', stdio: 'pipe', shell, timeout: 300_000 })
}

function pack() {
  run(root, 'npm', 'run', 'build')
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
check('publint', () => void run(root, 'npx', 'publint', '--strict', tarball))
check('are the types wrong?', () => void run(root, 'npx', 'attw', tarball))
for (const name of asked.length > 0 ? asked : readdirSync(consumers)) {
  check(`consumer ${name}`, () => tryConsumer(name, tarball))
}
