import { execFile } from 'node:child_process'
import { readdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { promisify } from 'node:util'
import { expect, test } from '@jest/globals'
import { MemoryStorage } from 'express-bits-upload'
import { uploadFile } from 'express-bits-upload/client'
import { closeSession, fragment, openSession, packet, RawConnection } from '../support/raw.js'
import { serve } from '../support/serve.js'
import { contentOf } from '../support/upload-fixture.js'
import { type Block, block } from './blocks.js'
import { table } from './tables.js'
import { FILE, useTempProject } from './use-temp-project.js'

const QUICK_START = 'README.md#Quick start'
const temp = useTempProject()
const js = (section: string): Block => block('js', { in: section })

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

test('quick start without acceptBitsPost: the answer is 400 without BITS-Packet-Type', async () => {
  const text = js(QUICK_START).text.replace('bitsUpload()', 'bitsUpload({ acceptBitsPost: false })')
  const server = await temp.project.serve({ ...js(QUICK_START), text })
  const connection = await RawConnection.open(server.port)
  connection.write(packet('Ping', '/uploads/a'))
  const ack = await connection.ack()
  expect([ack.status, ack.header('BITS-Packet-Type')]).toEqual([400, undefined])
})

test('IIS properties: the server follows them, and answers curl', async () => {
  const page = 'docs/iis-migration.md'
  const properties = block('json', { in: page, containing: '"BITSAllowOverwrites"' })
  await writeFile(temp.inside('virtual-directory.json'), properties.text)
  const server = await temp.project.serve(js(page))
  await temp.upload(server, 'a.zip')
  await temp.upload(server, 'a.zip') // BITSAllowOverwrites
  expect(await temp.read('uploads/a.zip')).toEqual(FILE)
  const curl = block('sh', { in: page, containing: 'curl' }).text.replaceAll(
    'new.example.com:3000',
    `127.0.0.1:${server.port}`,
  )
  const { stdout } = await promisify(execFile)('sh', ['-c', curl])
  expect(stdout).toMatch(/^HTTP\/1\.1 200 .*^BITS-Packet-Type: Ack\r$/ms)
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
