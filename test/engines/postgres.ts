import { execFileSync } from 'node:child_process'
import { existsSync, readdirSync } from 'node:fs'
import { chmod, chown, mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Pool } from 'pg'
import { freePort } from '../support/ports.js'
import { until } from '../support/soak.js'
import { EngineProcess } from './engine-process.js'

const VERSIONS = '/usr/lib/postgresql'

/** Debian's package postgresql. */
export const hasPostgres = (): boolean => existsSync(VERSIONS) && programs() !== undefined

const programs = (): string | undefined =>
  readdirSync(VERSIONS)
    .map((version) => join(VERSIONS, version, 'bin'))
    .findLast((directory) => existsSync(join(directory, 'initdb')))

export interface PostgresEngine {
  readonly process: EngineProcess
  connect(): Pool
  stop(): Promise<void>
}

/** PostgreSQL refuses to run as root, so it runs as the user of Debian's package. */
function engineUser(): { uid: number; gid: number } | undefined {
  if (process.getuid?.() !== 0) return undefined
  const id = (flag: string) => Number(execFileSync('id', [flag, 'postgres'], { encoding: 'utf8' }))
  return { uid: id('-u'), gid: id('-g') }
}

export async function startPostgres(): Promise<PostgresEngine> {
  const bin = programs()
  if (bin === undefined) throw new Error('PostgreSQL is not installed.')
  const user = engineUser()
  const directory = await mkdtemp(join(tmpdir(), 'bits-postgres-'))
  await chmod(directory, 0o700)
  if (user) await chown(directory, user.uid, user.gid)
  const data = join(directory, 'data')
  execFileSync(join(bin, 'initdb'), ['-D', data, '-A', 'trust', '-U', 'bits', '--no-sync'], {
    ...user,
    cwd: directory,
    stdio: 'pipe',
  })
  const port = await freePort()
  const args = ['-D', data, '-h', '127.0.0.1', '-p', `${port}`, '-k', directory]
  const engine = new EngineProcess({ port, command: join(bin, 'postgres'), args, user })
  const stop = async () => {
    await engine.end('SIGQUIT')
    await rm(directory, { recursive: true, force: true })
  }
  try {
    await engine.start()
    await untilReady(port)
    return { process: engine, connect: () => connect(port), stop }
  } catch (error) {
    await stop()
    throw error
  }
}

/** It listens some time before it accepts queries: "the database system is starting up". */
async function untilReady(port: number): Promise<void> {
  const pool = connect(port)
  try {
    await until(
      () =>
        pool.query('SELECT 1').then(
          () => true,
          () => false,
        ),
      30_000,
    )
  } finally {
    await pool.end()
  }
}

function connect(port: number): Pool {
  const pool = new Pool({ host: '127.0.0.1', port, user: 'bits', database: 'postgres' })
  // If a connection breaks while in use, its query fails as well.
  pool.on('error', () => {})
  return pool
}
