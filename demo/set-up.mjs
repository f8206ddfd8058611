/**
 * Installs the packages that the demo imports, if they are missing. Plain JavaScript, because it runs before anything
 * is installed.
 *
 * A fresh clone gets only these packages, in seconds: the tests need seven times as many.
 */
import { spawnSync } from 'node:child_process'
import { existsSync, readFileSync } from 'node:fs'
import { pathToFileURL } from 'node:url'

/**
 * Packages that the demo, or the parts of the library that it uses, import in addition to the dependencies; `tsx` runs
 * it.
 */
export const PACKAGES = [
  'cli-progress',
  'csv-parse',
  'esbuild',
  'express',
  'helmet',
  'multer',
  'saxes',
  'tsx',
]

const read = (path) => JSON.parse(readFileSync(new URL(`../${path}`, import.meta.url), 'utf8'))
const exists = (path) => existsSync(new URL(`../${path}`, import.meta.url))

function setUp() {
  const { dependencies, devDependencies } = read('package.json')
  const locked = read('package-lock.json').packages
  const isCurrent = (name) => {
    const path = `node_modules/${name}`
    return exists(`${path}/package.json`) && read(`${path}/package.json`).version === locked[path]?.version
  }
  if ([...PACKAGES, ...Object.keys(dependencies)].every(isCurrent)) return
  // If some packages are already there, npm would remove those that the demo does not need.
  if (exists('node_modules')) return npm('run', '--silent', 'setup')
  const specifiers = PACKAGES.map((name) => `${name}@${devDependencies[name]}`)
  const quiet = ['--prefer-offline', '--no-audit', '--no-fund', '--loglevel=error']
  npm('install', '--no-save', '--save-prod', '--omit=dev', ...quiet, ...specifiers)
}

/** `npm_execpath` is the npm that runs this script: on Windows, `npm` itself is not an executable. */
function npm(...args) {
  const { status } = spawnSync(process.execPath, [process.env.npm_execpath ?? 'npm', ...args], {
    stdio: 'inherit',
  })
  process.exitCode = status ?? 1
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) setUp()
