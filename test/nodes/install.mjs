import { spawnSync } from 'node:child_process'
import { mkdirSync } from 'node:fs'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'

const CACHE = join(import.meta.dirname, '../../node_modules/.cache/nodes')

// Platform packages of `node`, whose install script fetches one. Npm may be configured not to run scripts.
const platform = process.platform === 'win32' ? 'win' : process.platform
const prefix = platform === 'darwin' && process.arch === 'arm64' ? 'node-bin' : 'node'
const name = `${prefix}-${platform}-${process.arch}`

/**
 * Installs a version of Node from npm once. Returns the path of its package, with the headers, and of its binary.
 *
 * @throws Error when npm does not have it.
 */
export function installNode(version) {
  const directory = join(CACHE, version)
  mkdirSync(directory, { recursive: true })
  const options = ['--no-audit', '--no-fund', '--no-package-lock', '--prefer-offline', '--loglevel=error']
  const npm = spawnSync('npm', ['install', '--prefix', directory, ...options, `${name}@${version}`], {
    encoding: 'utf8',
    shell: process.platform === 'win32',
  })
  if (npm.status !== 0)
    throw new Error(`npm could not install ${name}@${version}: ${npm.stderr || npm.error}`)
  const manifest = join(directory, 'node_modules', name, 'package.json')
  return {
    path: dirname(manifest),
    binary: join(dirname(manifest), createRequire(manifest)(manifest).bin.node),
  }
}
