// Installs what some slow tests need and has to be compiled, for this version of Node and for the newest. Not development
// dependencies, because they are compiled: `npm test` removes them, as package.json does not list them.
import { execFileSync } from 'node:child_process'
import { mkdirSync, renameSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { installNode } from '../test/nodes/install.mjs'

// No test depends on their speed, and without optimization they are compiled in half of the time.
const COMPILER = { CFLAGS: '-O0', CXXFLAGS: '-O0' }

function npm(args, variables) {
  execFileSync('npm', args, { stdio: 'inherit', env: { ...process.env, ...COMPILER, ...variables } })
}

/** Each version of Node needs its own better-sqlite3. The package looks for it in this directory, too. */
function compileSqlite(node, variables) {
  npm(['rebuild', 'better-sqlite3'], variables)
  const version = execFileSync(node, ['-p', 'process.versions.modules'], { encoding: 'utf8' }).trim()
  const root = 'node_modules/better-sqlite3'
  const target = join(root, 'lib/binding', `node-v${version}-${process.platform}-${process.arch}`)
  mkdirSync(target, { recursive: true })
  renameSync(join(root, 'build/Release/better_sqlite3.node'), join(target, 'better_sqlite3.node'))
}

const packages = ['kerberos@7.0.0', 'better-sqlite3@12.11.1']
npm(['install', '--no-save', '--save-peer', '--ignore-scripts', '--no-audit', '--no-fund', ...packages])
// One for all versions of Node.
npm(['rebuild', 'kerberos'])
compileSqlite(process.execPath)

const newest = installNode('latest')
compileSqlite(newest.binary, {
  PATH: `${dirname(newest.binary)}:${process.env.PATH}`,
  // The headers come with Node's package, so node-gyp need not download them.
  npm_config_nodedir: newest.path,
})
