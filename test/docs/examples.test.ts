import { execFile } from 'node:child_process'
import { readdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { promisify } from 'node:util'
import { describe, expect, test } from '@jest/globals'
import type express from 'express'
import { raw } from 'express'
import { bitsUpload, MemoryStorage } from 'express-bits-upload'
import { uploadFile } from 'express-bits-upload/client'
import { closeSession, fragment, openSession, packet, RawConnection } from '../support/raw.js'
import { serve } from '../support/serve.js'
import { contentOf } from '../support/upload-fixture.js'
import { BLOCKS, type Block, block } from './blocks.js'
import { table } from './tables.js'
import { ROOT } from './temp-project.js'
import { FILE, useTempProject } from './use-temp-project.js'

/**
 * The languages of the blocks in each section. Every block has a test: in this file, or in the one that is named above it.
 * The compiler reads those in TypeScript, too: typescript.slow.test.ts.
 */
const TRIED: Readonly<Record<string, string>> = {
  'README.md#Installation': 'sh',
  'README.md#Quick start': 'js sh powershell bat',
  'README.md#Try it': 'sh',
  // architecture.test.ts
  'docs/architecture.md#Architecture': 'text',
  // authentication.test.ts, windows.test.ts
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
  // command-line.test.ts
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
  // iis-migration.test.ts, windows.test.ts, command-line.test.ts
  'docs/iis-migration.md#IIS migration': 'js',
  'docs/iis-migration.md#Step by step': 'powershell bat json json sh sh powershell',
  // scaling.slow.test.ts
  'docs/limits.md#Limits and clean-up': 'js',
  // limits.test.ts
  'docs/limits.md#Byte quotas': 'js',
  'docs/observability.md#Dashboard': 'js js',
  'docs/observability.md#Buttons': 'js',
  'docs/observability.md#Metrics': 'js',
  'docs/observability.md#Health': 'js',
  'docs/observability.md#OpenTelemetry': 'js',
  'docs/observability.md#Tracing channels': 'js',
  'docs/options.md#Options of bitsUpload()': 'js',
  // processing-uploads.test.ts
  'docs/performance.md#Node 20 and 22': 'js',
  'docs/processing-uploads.md#onUpload': 'js',
  'docs/processing-uploads.md#Checksums': 'js text',
  // command-line.test.ts, windows.test.ts
  'docs/processing-uploads.md#A program': 'sh sh bat',
  // scanning.slow.test.ts
  'docs/processing-uploads.md#Scanning for viruses': 'js text',
  'docs/processing-uploads.md#Scanning with a program': 'sh sh',
  'docs/processing-uploads.md#Scans that take minutes': 'js',
  // processing-uploads.test.ts
  'docs/processing-uploads.md#HTTP notification': 'js js js',
  'docs/processing-uploads.md#Multer handlers': 'js',
  'docs/processing-uploads.md#Replies': 'js',
  // scaling.slow.test.ts
  // s3.test.ts
  'docs/s3.md#S3': 'sh js',
  'docs/s3.md#Permissions': 'json',
  'docs/s3.md#Lifecycle rules': 'json',
  'docs/s3.md#Uploads to one name': 'js',
  'docs/s3.md#Other services': 'js',
  'docs/scaling.md#Workers of node:cluster': 'js',
  'docs/scaling.md#Shared disk': 'js',
  // command-line.test.ts, test/cli/packaging.test.ts
  'docs/scaling.md#S3 and Redis': 'sh sh',
  // scaling.slow.test.ts
  'docs/scaling.md#Independent servers (host id)': 'js',
  // shared-sessions.slow.test.ts
  'docs/shared-sessions.md#Redis': 'js',
  'docs/shared-sessions.md#PostgreSQL': 'js',
  'docs/storage.md#FileStorage': 'js',
  // testing-your-app.test.ts
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
  // custom-storage.slow.test.ts, processing-uploads.test.ts
  'docs/writing-adapters.md#Replies and other optional methods': 'ts',
  // custom-session-store.test.ts, sqlite-session-store.slow.test.ts
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
    // The documented path has one more directory.
    expect(withoutNumbers(server.stderr)).toContain(withoutNumbers(shown).replace('/xxxx/xxxx/', '/xxxx/'))
  })
})

/** Replaces what differs between runs. */
const withoutNumbers = (log: string): string =>
  log
    .replace(/^.*(?=express-bits-upload:packets)/gm, '')
    .replace(/\d+(?= ms)|(?<=connection |PACKETS )\d+|(?<=SESSION-)\d+|(?<=<host>:)\d+/g, 'N')

describe('examples that are servers', () => {
  test('options: accepts .zip files only, and overwrites', async () => {
    const server = await temp.project.serve(js('docs/options.md'))
    await temp.upload(server, 'a.zip')
    await writeFile(temp.local, contentOf(9000))
    await temp.upload(server, 'a.zip')
    expect(await temp.read('inbox/a.zip')).toEqual(contentOf(9000))
    await expect(temp.upload(server, 'a.txt')).rejects.toMatchObject({ status: 403 })
  })

  test('performance: a server that creates requests with the prototypes of Express', async () => {
    const server = await temp.project.serve(js('docs/performance.md'))
    await temp.upload(server, 'a.zip')
    expect(await temp.read('uploads/a.zip')).toEqual(FILE)
    expect((await fetch(`${server.origin}/uploads/a.zip`)).status).toBe(404)
  })

  test('storage: creates no directories', async () => {
    const server = await temp.project.serve(js('docs/storage.md'))
    await temp.upload(server, 'a.zip')
    expect(await temp.read('inbox/a.zip')).toEqual(FILE)
    await expect(temp.upload(server, 'deep/a.zip')).rejects.toMatchObject({ status: 404 })
  })

  test('custom storage and session store: continue after being killed', async () => {
    await temp.project.write(block('ts', { containing: 'class OneFolder ' }))
    await temp.project.write(block('ts', { containing: 'class OneFile' }))
    const both = block('ts', { containing: "storage: new OneFolder('./inbox')" })
    const path = '/uploads/logs/today.zip'
    const first = await temp.project.serve(both)
    const before = await RawConnection.open(first.port)
    const id = await openSession(before, path)
    before.write(fragment(path, id, FILE, 0, 999))
    expect((await before.ack()).header('BITS-Received-Content-Range')).toBe('1000')
    await first.stop('SIGKILL')

    const second = await temp.project.serve(both)
    const after = await RawConnection.open(second.port)
    after.write(fragment(path, id, FILE, 1000))
    expect((await after.ack()).header('BITS-Received-Content-Range')).toBe('4892')
    after.write(closeSession(path, id))
    expect((await after.ack()).status).toBe(200)
    after.end()
    expect(await temp.read('inbox/files/logs%2Ftoday.zip')).toEqual(FILE)
    expect(await readdir(join(temp.project.cwd, 'inbox/staged'))).toEqual([])
  })

  test('contract tests: both adapters pass', async () => {
    await temp.project.write(block('ts', { containing: 'class OneFolder ' }))
    await temp.project.write(block('ts', { containing: 'class OneFile' }))
    const { code, stdout } = await temp.project.run(
      block('ts', { in: 'docs/writing-adapters.md#Contract tests' }),
    )
    expect(stdout).toContain('the contract of a storage')
    expect(stdout).toContain('the contract of a session store')
    expect(stdout).toMatch(/ fail 0$/m)
    expect(code).toBe(0)
  })

  test('events: reports finished uploads, lists those in progress, and stops cleanly', async () => {
    const server = await temp.project.serve(js('docs/events.md'))
    await temp.upload(server, 'logs/today.zip')
    const connection = await RawConnection.open(server.port)
    const id = await openSession(connection, '/uploads/b.zip')
    connection.write(fragment('/uploads/b.zip', id, FILE, 0, 99))
    await connection.ack()
    const status = await fetch(`${server.origin}/status`)
    expect(await status.json()).toMatchObject([{ destination: 'b.zip', received: 100, total: 4892 }])
    const path = join(temp.project.cwd, 'uploads/logs/today.zip')
    expect(server.stdout).toBe(`logs/today.zip has arrived: 4892 bytes in ${path}\n`)
    connection.end()
    expect(await server.stop('SIGTERM')).toBe(0)
  })

  test('dashboard: shows an upload that has finished, and stops cleanly while a page is open', async () => {
    const server = await temp.project.serve(
      block('js', { in: 'docs/observability.md#Dashboard', containing: 'dashboard.close()' }),
    )
    const page = await fetch(`${server.origin}/live/`)
    expect(await page.text()).toContain('<h2 id="ended-title">Finished and failed</h2>')
    await temp.upload(server, 'logs/today.zip')
    const events = await fetch(`${server.origin}/live/events`)
    const chunks = events.body?.pipeThrough(new TextDecoderStream()).getReader()
    let text = ''
    while (!text.includes('"outcome":"uploaded"')) text += (await chunks?.read())?.value ?? ''
    expect(text).toContain('"name":"logs/today.zip"')
    expect(await server.stop('SIGTERM')).toBe(0)
  })

  test('dashboard of several bitsUpload(): names tell them apart', async () => {
    const several = block('js', { in: 'docs/observability.md#Dashboard', containing: "prefix: 'evidence/'" })
    const { origin } = await temp.project.serve(several)
    await uploadFile(temp.local, `${origin}/evidence/today.zip`, { retries: 0 })
    const events = await fetch(`${origin}/live/events`)
    const { value = '' } = (await events.body?.pipeThrough(new TextDecoderStream()).getReader().read()) ?? {}
    expect(value).toContain('"name":"evidence/today.zip"')
  })

  test('dashboard with buttons: cancels an upload for operators', async () => {
    const server = await temp.project.serve(js('docs/observability.md#Buttons'), { OPERATOR: 'me' })
    const sweep = (headers: Record<string, string>) =>
      fetch(`${server.origin}/live/sweep`, { method: 'POST', headers })
    const fromPage = { 'x-bits-dashboard': '1', 'sec-fetch-site': 'same-origin' }
    expect((await sweep(fromPage)).status).toBe(403)
    expect((await sweep({ ...fromPage, 'x-operator': 'me' })).status).toBe(200)
    await server.stop('SIGTERM')
  })

  test('OpenTelemetry: an upload leaves spans', async () => {
    const server = await temp.project.serve(js('docs/observability.md#OpenTelemetry'), {
      OTEL_BSP_SCHEDULE_DELAY: '100',
    })
    await temp.upload(server, 'logs/today.zip')
    while (!server.stdout.includes("name: 'bits Close-Session'")) await delay(50)
    expect(server.stdout).toContain("name: 'bits storage.append'")
    await server.stop('SIGTERM')
  })

  test('metrics: can be scraped', async () => {
    const server = await temp.project.serve(js('docs/observability.md#Metrics'))
    await temp.upload(server, 'logs/today.zip')
    const scraped = await (await fetch(`${server.origin}/metrics`)).text()
    expect(scraped).toContain('bits_upload_received_bytes_total 4892')
    expect(scraped).toContain('bits_upload_sessions_total{event="uploaded"} 1')
    const documented = table('Metric').map(([name = '']) => `bits_upload_${name}`)
    const exported = [...scraped.matchAll(/^# TYPE (\S+)/gm)].map(([, name]) => name)
    expect(documented.sort()).toEqual(exported.sort())
    await server.stop('SIGTERM')
  })

  test('health: says that the server is ready', async () => {
    const server = await temp.project.serve(js('docs/observability.md#Health'))
    const health = await fetch(`${server.origin}/health`)
    expect([health.status, await health.json()]).toEqual([200, { storage: 'ok', sessions: 'ok' }])
    expect(await server.stop('SIGTERM')).toBe(0)
  })

  test('tracing channels: print each packet', async () => {
    const server = await temp.project.serve(js('docs/observability.md#Tracing channels'))
    await temp.upload(server, 'logs/today.zip')
    expect(server.stdout).toContain('Fragment 200 4892\n')
    await server.stop('SIGTERM')
  })

  test('serving the files: as downloads, without unfinished uploads', async () => {
    const server = await temp.project.serve(js('docs/deployment.md#Serving the files'))
    await temp.upload(server, 'logs/today.zip')
    const file = await fetch(`${server.origin}/uploads/logs/today.zip`)
    expect(Buffer.from(await file.arrayBuffer())).toEqual(FILE)
    expect(file.headers.get('content-disposition')).toBe('attachment')
    const connection = await RawConnection.open(server.port)
    await openSession(connection, '/uploads/b.zip')
    connection.end()
    const [staged = ''] = await readdir(join(temp.project.cwd, 'uploads/BITS-Sessions'))
    expect(staged).not.toBe('')
    for (const folder of ['BITS-Sessions', 'bits-sessions', '%42ITS-Sessions', 'x/../BITS-Sessions']) {
      expect((await fetch(`${server.origin}/uploads/${folder}/${staged}`)).status).toBe(404)
    }
  })

  test('timeouts: keeps connections open longer', async () => {
    const server = await temp.project.serve(js('docs/deployment.md#Timeouts'))
    await temp.upload(server, 'a.zip')
    expect(await temp.read('uploads/a.zip')).toEqual(FILE)
    const response = await fetch(`${server.origin}/`)
    expect(response.headers.get('keep-alive')).toBe('timeout=75')
  })
})

test('the client example uploads, and reports progress', async () => {
  const storage = new MemoryStorage()
  const departments = new Set<string | undefined>()
  const server = await serve(
    { storage },
    {
      before: (app) =>
        void app.use((req, _res, next) => {
          departments.add(req.get('x-department'))
          next()
        }),
    },
  )
  try {
    const { text, language } = js('docs/client.md')
    const adapted = text.replaceAll('localhost:3000', `127.0.0.1:${server.port}`)
    const { code, stdout, stderr } = await temp.project.run({ text: adapted, language })
    expect([code, stderr]).toEqual([0, ''])
    expect(stdout.trim().split('\n').at(-1)).toBe('4892 bytes uploaded')
    expect(stdout).toContain('4892 of 4892 bytes\n')
    expect(storage.files.get('logs/today.zip')).toEqual(FILE)
    expect([...departments]).toEqual(['accounting'])
  } finally {
    await server.stop()
  }
})

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

  test('without acceptBitsPost the answer is 400 without BITS-Packet-Type', async () => {
    const text = js(QUICK_START).text.replace('bitsUpload()', 'bitsUpload({ acceptBitsPost: false })')
    const server = await temp.project.serve({ ...js(QUICK_START), text })
    const connection = await RawConnection.open(server.port)
    connection.write(packet('Ping', '/uploads/a'))
    const ack = await connection.ack()
    expect([ack.status, ack.header('BITS-Packet-Type')]).toEqual([400, undefined])
  })
})
