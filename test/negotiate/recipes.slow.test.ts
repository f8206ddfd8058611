import { existsSync } from 'node:fs'
import { chmod } from 'node:fs/promises'
import { afterAll, beforeAll, expect, test } from '@jest/globals'
import { Command } from '../cli/command.js'
import { block } from '../docs/blocks.js'
import { FILE, useTempProject } from '../docs/use-temp-project.js'
import { isInstalled, startProxy } from '../proxies/proxy.js'
import { describeWithEngine } from '../support/engines.js'
import { fixtures } from '../support/fixtures.js'
import { packet } from '../support/raw.js'
import { curl, curlPacket } from './curl.js'
import { hasKdc, Kdc } from './kdc.js'
import { BIND_PASSWORD, hasSlapd, Slapd } from './slapd.js'

const PAGE = 'docs/authentication.md'
const temp = useTempProject()
const { afterwards, connect } = fixtures()

async function send(env: Record<string, string>, url: string): Promise<[number, string]> {
  const command = new Command(['send', '--negotiate', '--quiet', temp.local, url], { env })
  return [await command.exit, command.stderr]
}

describeWithEngine(
  'Kerberos and slapd',
  () => hasKdc() && hasSlapd(),
  () => {
    let kdc: Kdc
    let slapd: Slapd
    beforeAll(async () => {
      kdc = await Kdc.start()
      slapd = await Slapd.start()
    })
    afterAll(async () => {
      await kdc?.stop()
      await slapd?.stop()
    })

    const served = (env: Record<string, string>) => {
      const { text, language } = block('js', { in: `${PAGE}#Groups from LDAP` })
      const adapted = text
        .replace('/etc/uploads.keytab', kdc.keytab)
        .replace("'EXAMPLE.COM'", "'EXAMPLE.TEST'")
      return temp.project.serve(
        { text: adapted, language },
        { ...kdc.env(), LDAP_PASSWORD: BIND_PASSWORD, ...env },
      )
    }

    test('only members of the group upload', async () => {
      const { port } = await served({ LDAP_URL: slapd.url })
      const url = `http://localhost:${port}/uploads/a.zip`
      expect(await send(await kdc.login('alice'), url)).toEqual([0, ''])
      expect(await temp.read('uploads/a.zip')).toEqual(FILE)
      expect(await send(await kdc.login('PC01$'), url.replace('a.zip', 'b.zip'))).toEqual([0, ''])
      expect(await send(await kdc.login('bob'), url)).toEqual([3, expect.stringMatching(/403/)])
    })

    test('clients try again while the directory does not answer', async () => {
      const { port } = await served({ LDAP_URL: 'ldap://127.0.0.1:1' })
      const ack = await curlPacket(await kdc.login('alice'), `http://localhost:${port}/uploads/a.zip`, 'Ping')
      expect([ack.status, ack.header('BITS-Error')]).toEqual([500, '0x80004005'])
    })
  },
)

const hasApache = (): boolean =>
  isInstalled('apache') && existsSync('/usr/lib/apache2/modules/mod_auth_gssapi.so')

describeWithEngine(
  'Kerberos and Apache with mod_auth_gssapi',
  () => hasKdc() && hasApache(),
  () => {
    test('Apache authenticates, and passes the user on', async () => {
      const kdc = await Kdc.start()
      afterwards(() => kdc.stop())
      // Apache switches to another user, who has to read these files.
      await chmod(kdc.directory, 0o755)
      await chmod(kdc.keytab, 0o644)
      const server = await temp.project.serve(block('js', { in: `${PAGE}#Apache in front` }))
      const snippet = block('apache', { in: `${PAGE}#Apache in front` }).text
      const env = { ...kdc.env(), KRB5RCACHENAME: 'none:' }
      const proxy = await startProxy(
        'apache',
        snippet.replace('/etc/uploads.keytab', kdc.keytab),
        server.port,
        undefined,
        env,
      )
      afterwards(() => proxy.stop())
      const origin = `http://localhost:${proxy.port}`
      expect(await send(await kdc.login('alice'), `${origin}/uploads/a.zip`)).toEqual([0, ''])
      expect(await temp.read('uploads/a.zip')).toEqual(FILE)

      const alice = await kdc.login('alice')
      const url = `${origin}/uploads/b.zip`
      const protocols = { 'BITS-Supported-Protocols': '{7df0354d-249b-430f-820d-3d2a9bef4931}' }
      const id = (await curlPacket(alice, url, 'Create-Session', protocols)).header('BITS-Session-Id') ?? ''
      const fragment = (user: Record<string, string>, headers: Record<string, string> = {}) =>
        curlPacket(
          user,
          url,
          'Fragment',
          { 'BITS-Session-Id': id, 'Content-Range': `bytes 0-${FILE.length - 1}/${FILE.length}`, ...headers },
          FILE,
        )
      // A header from the client does not turn bob into alice.
      const bob = await fragment(await kdc.login('bob'), { 'X-Remote-User': 'alice@EXAMPLE.TEST' })
      expect([bob.status, bob.header('BITS-Error')]).toEqual([500, '0x8020001F'])
      expect((await fragment(alice)).status).toBe(200)
      const connection = await connect(proxy)
      expect((await connection.exchange(packet('Ping', '/uploads/a'))).status).toBe(401)
    })
  },
)

describeWithEngine(
  'curl with NTLM',
  () => existsSync('/usr/bin/curl'),
  () => {
    test('express-ntlm authenticates the connection', async () => {
      const { text, language } = block('js', { in: `${PAGE}#NTLM` })
      expect(text).toContain("domaincontroller: 'ldaps://dc.example.com'")
      // Without a domain controller, the package accepts every password: this tests only the exchange.
      const server = await temp.project.serve({
        text: text.replace("'ldaps://dc.example.com'", 'null'),
        language,
      })
      const url = `${server.origin}/uploads/a.zip`
      const ntlm = ['--ntlm', '-u', 'EXAMPLE\\Alice:secret']
      const words = ['-X', 'BITS_POST', '-H', 'BITS-Packet-Type: Ping', '-H', 'Content-Length: 0']
      expect((await curl({}, url, [...words, ...ntlm])).status).toBe(200)
      const connection = await connect(server)
      const challenged = await connection.exchange(packet('Ping', '/uploads/a.zip'))
      expect([challenged.status, challenged.header('WWW-Authenticate')]).toEqual([401, 'NTLM'])
    })
  },
)
