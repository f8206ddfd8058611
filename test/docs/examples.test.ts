import { execFile } from 'node:child_process'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { promisify } from 'node:util'
import { describe, expect, test } from '@jest/globals'
import type express from 'express'
import { raw } from 'express'
import { bitsUpload, MemoryStorage } from 'express-bits-upload'
import { uploadFile } from 'express-bits-upload/client'
import { fragment, openSession, packet, RawConnection } from '../support/raw.js'
import { serve } from '../support/serve.js'
import { BLOCKS, type Block, block } from './blocks.js'
import { ROOT } from './temp-project.js'
import { FILE, useTempProject } from './use-temp-project.js'

/**
 * The languages of the blocks in each section. Every block has a test: in this file, in servers.slow.test.ts, or in the one
 * that is named above it. The compiler reads those in TypeScript, too: typescript.slow.test.ts.
 */
const TRIED: Readonly<Record<string, string>> = {
  'README.md#Installation': 'sh',
  'README.md#Quick start': 'js sh powershell bat',
  'README.md#Try it': 'sh',
  // architecture.test.ts
  'docs/architecture.md#Architecture': 'text',
  // authentication.slow.test.ts, windows.test.ts
  'docs/authentication.md#User name and password': 'js',
  'docs/authentication.md#Tokens': 'js powershell',
  'docs/authentication.md#Client certificates': 'js bat',
  'docs/authentication.md#Clients that authenticate once': 'js js',
  // test/negotiate, windows.test.ts
  'docs/authentication.md#Windows accounts': 'sh js',
  'docs/authentication.md#Keytab from Active Directory': 'bat',
  'docs/authentication.md#Windows clients': 'powershell',
  'docs/authentication.md#Kerberos from Node': 'js',
  'docs/authentication.md#Groups from LDAP': 'js',
  'docs/authentication.md#Apache in front': 'apache js',
  'docs/authentication.md#NTLM': 'js',
  // browser.slow.test.ts
  'docs/browser.md#Browser': 'html',
  'docs/browser.md#A server on another origin': 'js',
  'docs/client.md#Client': 'js',
  // command-line.slow.test.ts
  'docs/command-line.md#Receive files': 'sh sh',
  'docs/command-line.md#Send a file': 'sh sh sh',
  'docs/command-line.md#Options in a file': 'json sh',
  'docs/command-line.md#Several directories': 'json sh',
  'docs/command-line.md#systemd service': 'sh ini ini',
  'docs/command-line.md#Container': 'sh',
  // test/proxies
  'docs/deployment.md#nginx': 'nginx',
  'docs/deployment.md#HAProxy': 'haproxy',
  'docs/deployment.md#Apache': 'apache',
  'docs/deployment.md#Caddy': 'caddyfile',
  'docs/deployment.md#Converting BITS_POST to POST': 'nginx',
  'docs/deployment.md#Timeouts': 'js',
  'docs/deployment.md#Serving the files': 'js',
  'docs/events.md#Events': 'js',
  // iis-migration.test.ts, servers.slow.test.ts, windows.test.ts, command-line.slow.test.ts
  'docs/iis-migration.md#IIS migration': 'js',
  'docs/iis-migration.md#Step by step': 'powershell bat json json sh sh powershell',
  // scaling.slow.test.ts
  'docs/limits.md#Limits and clean-up': 'js',
  // limits.slow.test.ts
  'docs/limits.md#Byte quotas': 'js',
  'docs/observability.md#Dashboard': 'js js',
  'docs/observability.md#Buttons': 'js',
  'docs/observability.md#Metrics': 'js',
  'docs/observability.md#Health': 'js',
  'docs/observability.md#OpenTelemetry': 'js',
  'docs/observability.md#Tracing channels': 'js',
  'docs/options.md#Options of bitsUpload()': 'js',
  // processing-uploads.slow.test.ts
  // figures.slow.test.ts
  'docs/performance.md#Node 20 and 22': 'js',
  'docs/processing-uploads.md#onUpload': 'js',
  'docs/processing-uploads.md#Checksums': 'js text',
  // command-line.slow.test.ts, windows.test.ts
  'docs/processing-uploads.md#A program': 'sh sh bat',
  // scanning.slow.test.ts
  'docs/processing-uploads.md#Scanning for viruses': 'js text',
  'docs/processing-uploads.md#Scanning with a program': 'sh sh',
  'docs/processing-uploads.md#Scans that take minutes': 'js',
  // processing-uploads.slow.test.ts
  'docs/processing-uploads.md#HTTP notification': 'js js js',
  'docs/processing-uploads.md#Multer handlers': 'js',
  'docs/processing-uploads.md#Replies': 'js',
  // scaling.slow.test.ts
  // s3.test.ts, s3.slow.test.ts
  'docs/s3.md#S3': 'sh js',
  'docs/s3.md#Permissions': 'json',
  'docs/s3.md#Lifecycle rules': 'json',
  'docs/s3.md#Uploads to one name': 'js',
  'docs/s3.md#Other services': 'js',
  'docs/scaling.md#Workers of node:cluster': 'js',
  'docs/scaling.md#Shared disk': 'js',
  // command-line.slow.test.ts, test/cli/packaging.test.ts
  'docs/scaling.md#S3 and Redis': 'sh sh',
  // scaling.slow.test.ts
  'docs/scaling.md#Independent servers (host id)': 'js',
  // shared-sessions.slow.test.ts
  'docs/shared-sessions.md#Redis': 'js',
  'docs/shared-sessions.md#PostgreSQL': 'js',
  'docs/storage.md#FileStorage': 'js',
  // testing-your-app.slow.test.ts
  'docs/testing-your-app.md#Testing your app': 'js',
  'docs/testing-your-app.md#Single packets': 'js',
  'docs/troubleshooting.md#A body parser consumes the fragments': 'text',
  'docs/troubleshooting.md#Packet log': 'sh text',
  // windows.test.ts
  'docs/windows.md#PowerShell': 'powershell powershell',
  'docs/windows.md#bitsadmin': 'bat bat',
  'docs/windows.md#Upload-reply jobs': 'bat powershell',
  // windows-server.test.ts, windows.test.ts
  'docs/windows-server.md#Install': 'powershell',
  'docs/windows-server.md#Certificate': 'powershell',
  'docs/windows-server.md#Service with WinSW': 'xml bat',
  'docs/windows-server.md#NSSM': 'bat',
  'docs/windows-server.md#Your own app': 'xml',
  'docs/windows-server.md#Firewall and port': 'powershell bat',
  'docs/windows-server.md#Updates': 'powershell',
  'docs/writing-adapters.md#Writing a storage adapter': 'ts',
  // custom-storage.slow.test.ts, processing-uploads.slow.test.ts
  'docs/writing-adapters.md#Replies and other optional methods': 'ts',
  // custom-session-store.slow.test.ts, sqlite-session-store.slow.test.ts
  'docs/writing-adapters.md#Writing a session store': 'ts ts js',
  'docs/writing-adapters.md#Contract tests': 'ts',
}

const QUICK_START = 'README.md#Quick start'
const PACKET_LOG = 'docs/troubleshooting.md#Packet log'
const temp = useTempProject()
const js = (section: string): Block => block('js', { in: section })

test('every block of every document has a test', () => {
  const found: Record<string, string> = {}
  for (const { section, language } of BLOCKS) {
    found[section] = found[section] === undefined ? language : `${found[section]} ${language}`
  }
  expect(found).toEqual(TRIED)
})

describe('shell commands', () => {
  test('npm start and npm test are scripts of the package', async () => {
    const manifest = JSON.parse(await readFile(join(ROOT, 'package.json'), 'utf8'))
    const lines = block('sh', { in: 'README.md#Try it' }).text.trim().split('\n')
    expect(lines.map((line) => line.replace(/ *#.*/, ''))).toEqual(['npm start', 'npm test'])
    expect(Object.keys(manifest.scripts)).toEqual(expect.arrayContaining(['start', 'test']))
    expect(block('sh', { in: 'README.md#Installation' }).text.trim().split(' ')).toEqual([
      'npm',
      'install',
      manifest.name,
      ...Object.keys(manifest.peerDependencies).filter(
        (name) => !manifest.peerDependenciesMeta?.[name]?.optional,
      ),
    ])
  })
})

describe('the quick start', () => {
  test('receives a file, answers curl, and logs packets as documented', async () => {
    const [, variable = '', value = ''] =
      /^(\w+)=(\S+) node server\.js\n$/.exec(block('sh', { in: PACKET_LOG }).text) ?? []
    const server = await temp.project.serve(js(QUICK_START), { [variable]: value })
    const url = `${server.origin.replace('//', '//alice:pw@')}/uploads/logs/today.zip`
    await uploadFile(temp.local, url, { retries: 0 })
    expect(await temp.read('uploads/logs/today.zip')).toEqual(FILE)

    const curl = block('sh', { in: QUICK_START }).text.replaceAll(
      'localhost:3000',
      `127.0.0.1:${server.port}`,
    )
    const { stdout } = await promisify(execFile)('sh', ['-c', curl])
    expect(stdout).toMatch(/^HTTP\/1\.1 200 /)
    expect(stdout).toMatch(/^BITS-Packet-Type: Ack\r$/m)

    const shown = block('text', { in: PACKET_LOG }).text
    while (!server.stderr.includes('packet 3, ')) await delay(10)
    // The documented path has an additional directory.
    expect(withoutNumbers(server.stderr)).toContain(withoutNumbers(shown).replace('/xxxx/xxxx/', '/xxxx/'))
  })
})

/** Replaces values that differ between runs. */
const withoutNumbers = (log: string): string =>
  log
    .replace(/^.*(?=express-bits-upload:packets)/gm, '')
    .replace(/\d+(?= ms)|(?<=connection |PACKETS )\d+|(?<=SESSION-)\d+|(?<=<host>:)\d+/g, 'N')

describe('troubleshooting', () => {
  test('the log has the documented message about an earlier body parser', async () => {
    const before = (app: express.Express) => void app.use(raw({ type: () => true }))
    const server = await serve({ storage: new MemoryStorage() }, { before })
    try {
      const connection = await RawConnection.open(server.port)
      const id = await openSession(connection, '/uploads/a')
      connection.write(fragment('/uploads/a', id, FILE))
      expect((await connection.ack()).header('BITS-Error-Code')).toBe('0x80004005')
      connection.end()
      expect(server.logger.lines.join('\n')).toContain(
        block('text', { in: 'docs/troubleshooting.md#A body parser consumes the fragments' }).text.trim(),
      )
    } finally {
      await server.stop()
    }
  })

  test('app.post() and app.all() answer 404 without BITS-Packet-Type', async () => {
    const bits = bitsUpload({ storage: new MemoryStorage() })
    const after = (app: express.Express) => {
      app.post('/posts/a', bits)
      app.all('/all/a', bits)
    }
    const server = await serve({ storage: new MemoryStorage() }, { after })
    try {
      const connection = await RawConnection.open(server.port)
      for (const path of ['/posts/a', '/all/a']) {
        connection.write(packet('Ping', path))
        const ack = await connection.ack()
        expect([ack.status, ack.header('BITS-Packet-Type')]).toEqual([404, undefined])
      }
      connection.end()
    } finally {
      await server.stop()
      await bits.close()
    }
  })
})
