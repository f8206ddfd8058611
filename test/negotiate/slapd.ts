import { execFile } from 'node:child_process'
import { existsSync } from 'node:fs'
import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { EngineProcess } from '../engines/engine-process.js'
import { freePort } from '../support/ports.js'
import { temporaryDirectory } from '../support/serve.js'

const run = promisify(execFile)
const SLAPD = '/usr/sbin/slapd'
/** Compared case-insensitively, as in Active Directory. */
const ACCOUNT_NAME = `attributetype ( 1.2.840.113556.1.4.221 NAME 'sAMAccountName'
  EQUALITY caseIgnoreMatch SYNTAX 1.3.6.1.4.1.1466.115.121.1.15 SINGLE-VALUE )
objectclass ( 1.2.840.113556.1.5.6 NAME 'securityPrincipal' AUXILIARY MUST sAMAccountName )`

export const hasSlapd = (): boolean => existsSync(SLAPD)

export const BIND_PASSWORD = 'bind secret'

/** A directory with the attribute names of Active Directory: alice and PC01$ are members of the group "uploaders". */
const ENTRIES = `dn: DC=example,DC=com
objectClass: dcObject
objectClass: organization
dc: example
o: Example

${['Groups', 'Services', 'People'].map((name) => `dn: OU=${name},DC=example,DC=com\nobjectClass: organizationalUnit\nou: ${name}\n`).join('\n')}
dn: CN=svc-uploads,OU=Services,DC=example,DC=com
objectClass: person
cn: svc-uploads
sn: uploads
userPassword: ${BIND_PASSWORD}

${['alice', 'bob', 'PC01$'].map((name) => `dn: CN=${name},OU=People,DC=example,DC=com\nobjectClass: person\nobjectClass: securityPrincipal\ncn: ${name}\nsn: ${name}\nsAMAccountName: ${name}\n`).join('\n')}
dn: CN=uploaders,OU=Groups,DC=example,DC=com
objectClass: groupOfNames
cn: uploaders
member: CN=alice,OU=People,DC=example,DC=com
member: CN=PC01$,OU=People,DC=example,DC=com
`

/** Debian's slapd. The caller has to stop it. */
export class Slapd {
  readonly url: string
  readonly #process: EngineProcess
  readonly #remove: () => Promise<void>

  private constructor(url: string, process: EngineProcess, remove: () => Promise<void>) {
    this.url = url
    this.#process = process
    this.#remove = remove
  }

  static async start(): Promise<Slapd> {
    const { path, remove } = await temporaryDirectory()
    const port = await freePort()
    const [config, entries] = [join(path, 'slapd.conf'), join(path, 'entries.ldif')]
    await mkdir(join(path, 'data'))
    await writeFile(config, configuration(path))
    await writeFile(entries, ENTRIES)
    await run('/usr/sbin/slapadd', ['-q', '-f', config, '-l', entries])
    const url = `ldap://127.0.0.1:${port}`
    const engine = new EngineProcess({ port, command: SLAPD, args: ['-f', config, '-h', url, '-d', '0'] })
    const slapd = new Slapd(url, engine, remove)
    try {
      await engine.start()
    } catch (error) {
      await slapd.stop()
      throw error
    }
    return slapd
  }

  async stop(): Promise<void> {
    await this.#process.end('SIGKILL')
    await this.#remove()
  }
}

const configuration = (directory: string): string => `
include /etc/ldap/schema/core.schema
${ACCOUNT_NAME}
pidfile ${directory}/pid
modulepath /usr/lib/ldap
moduleload back_mdb
database mdb
suffix "DC=example,DC=com"
directory ${directory}/data
access to attrs=userPassword by anonymous auth by * none
access to * by users read by anonymous none
`
