import { execFile } from 'node:child_process'
import { existsSync } from 'node:fs'
import { mkdir, writeFile } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { EngineProcess } from '../engines/engine-process.js'
import { freePort } from '../support/ports.js'
import { temporaryDirectory } from '../support/serve.js'

const run = promisify(execFile)
const PROGRAMS = [
  '/usr/sbin/krb5kdc',
  '/usr/sbin/kadmin.local',
  '/usr/sbin/kdb5_util',
  '/usr/bin/kinit',
  '/usr/bin/curl',
]

/** Needs MIT Kerberos, curl, and the package `kerberos`, which has to be compiled. */
export function hasKdc(): boolean {
  if (!PROGRAMS.every((path) => existsSync(path))) return false
  try {
    createRequire(import.meta.url).resolve('kerberos')
    return true
  } catch {
    return false
  }
}

export const REALM = 'EXAMPLE.TEST'
/** Principals whose passwords are known only to their keytabs, `NAME.keytab`. */
const USERS = ['alice', 'bob', 'PC01$'] as const
export type User = (typeof USERS)[number]

/** A Kerberos realm with the users, and the service `HTTP/localhost` with its keytab. The caller has to stop it. */
export class Kdc {
  readonly directory: string
  readonly #process: EngineProcess
  readonly #remove: () => Promise<void>

  private constructor(directory: string, process: EngineProcess, remove: () => Promise<void>) {
    this.directory = directory
    this.#process = process
    this.#remove = remove
  }

  static async start(): Promise<Kdc> {
    const { path, remove } = await temporaryDirectory()
    const port = await freePort()
    await mkdir(join(path, 'replays'))
    await writeFile(join(path, 'krb5.conf'), clientConfiguration(port))
    await writeFile(join(path, 'kdc.conf'), kdcConfiguration(port, path))
    const env = environment(path)
    const admin = (query: string) => run('/usr/sbin/kadmin.local', ['-q', query], { env })
    await run('/usr/sbin/kdb5_util', ['create', '-s', '-r', REALM, '-P', 'master'], { env })
    for (const user of USERS) {
      await admin(`addprinc -pw secret ${user}`)
      await admin(`ktadd -norandkey -k ${join(path, `${user}.keytab`)} ${user}`)
    }
    await admin('addprinc -randkey HTTP/localhost')
    await admin(`ktadd -k ${join(path, 'http.keytab')} HTTP/localhost`)
    const engine = new EngineProcess({ port, command: '/usr/sbin/krb5kdc', args: ['-n'], env })
    const kdc = new Kdc(path, engine, remove)
    try {
      await engine.start()
    } catch (error) {
      await kdc.stop()
      throw error
    }
    return kdc
  }

  get keytab(): string {
    return this.file('http.keytab')
  }

  file(name: string): string {
    return join(this.directory, name)
  }

  /** The environment of a server, or of a client with the tickets in a cache. */
  env(cache = 'nobody'): Record<string, string> {
    return {
      ...environment(this.directory),
      KRB5CCNAME: `FILE:${this.file(`tickets.${cache}`)}`,
      KRB5_KTNAME: 'FILE:/nonexistent/keytab',
    }
  }

  /**
   * Gets a ticket.
   *
   * @param lifetime as kinit takes it, `5s` for example.
   * @param cache name of the cache that holds it.
   */
  async login(user: User, lifetime = '1h', cache: string = user): Promise<Record<string, string>> {
    const env = { ...this.env(cache), PATH: process.env.PATH ?? '' }
    await run('kinit', ['-l', lifetime, '-k', '-t', this.file(`${user}.keytab`), user], { env })
    return env
  }

  /** Whether a cache contains a ticket that has not expired. */
  async hasTicket(cache: string): Promise<boolean> {
    return run('klist', ['-s'], { env: { ...this.env(cache), PATH: process.env.PATH } }).then(
      () => true,
      () => false,
    )
  }

  async stop(): Promise<void> {
    await this.#process.end('SIGKILL')
    await this.#remove()
  }
}

const environment = (directory: string): Record<string, string> => ({
  KRB5_CONFIG: join(directory, 'krb5.conf'),
  KRB5_KDC_PROFILE: join(directory, 'kdc.conf'),
  KRB5RCACHENAME: `file2:${join(directory, 'replays', 'cache')}`,
})

const clientConfiguration = (port: number): string => `[libdefaults]
  default_realm = ${REALM}
  dns_lookup_kdc = false
  dns_lookup_realm = false
  dns_canonicalize_hostname = false
  rdns = false
  udp_preference_limit = 1
[realms]
  ${REALM} = {
    kdc = 127.0.0.1:${port}
  }
[domain_realm]
  localhost = ${REALM}
`

const kdcConfiguration = (port: number, directory: string): string => `[kdcdefaults]
  kdc_listen = ""
  kdc_tcp_listen = 127.0.0.1:${port}
[realms]
  ${REALM} = {
    database_name = ${directory}/principal
    key_stash_file = ${directory}/stash
  }
[logging]
  kdc = FILE:${directory}/kdc.log
`
