import { createHash } from 'node:crypto'
import { mkdir, writeFile } from 'node:fs/promises'
import { createServer, request } from 'node:http'
import type { AddressInfo } from 'node:net'
import { hostname } from 'node:os'
import { join } from 'node:path'
import { describe, expect, test } from '@jest/globals'
import { bitsUpload } from 'express-bits-upload'
import helmet from 'helmet'
import { readable } from '../../lib/cli/send/progress.js'
import { createApp } from '../../lib/cli/serve/app.js'
import { type IdentifyUser, rememberUser } from '../../lib/cli/serve/authenticate.js'
import type { ServeFlags } from '../../lib/cli/serve/flags.js'
import { fixtures } from '../support/fixtures.js'
import { RawConnection } from '../support/raw.js'
import { RecordingLogger } from '../support/serve.js'

const { directory, afterwards } = fixtures()

const FLAGS: ServeFlags = {
  host: '127.0.0.1',
  port: 0,
  path: '/',
  grace: 30,
  idleTimeout: 300,
  maxHeaderSize: 65_536,
  realm: '',
  createDirectories: true,
  accessLog: '-',
  logFormat: 'none',
}

/** Starts the app of serve with these flags. Returns its origin and directory. */
async function start(flags: Partial<ServeFlags> = {}, authenticate?: IdentifyUser) {
  const folder = await directory()
  const bits = bitsUpload({ directory: folder, logger: new RecordingLogger() })
  const log = { write: () => {} }
  const allFlags = { ...FLAGS, ...flags }
  const { app, dashboard } = createApp(
    {
      directories: [{ bits, directory: folder, authenticate, flags: allFlags }],
      authenticate,
      log,
      first: [helmet()],
    },
    allFlags,
  )
  const server = createServer(app).listen(0, '127.0.0.1')
  await new Promise((resolve) => server.on('listening', resolve))
  afterwards(async () => {
    dashboard?.close()
    server.close()
    server.closeAllConnections()
    await bits.close()
  })
  const { port } = server.address() as AddressInfo
  return { folder, port, origin: `http://127.0.0.1:${port}` }
}

const html = { accept: 'text/html,*/*' }

const alice: IdentifyUser = async (req) => {
  rememberUser(req, 'alice')
  return 'alice'
}

describe('the page at the root of serve', () => {
  test('says what the server is and how to upload, as HTML for browsers and otherwise as text', async () => {
    const { origin } = await start()
    const page = await fetch(origin, { headers: html })
    const text = await page.text()
    expect([page.status, page.headers.get('content-type')]).toEqual([200, 'text/html; charset=utf-8'])
    expect(text).toContain('<h1>BITS upload server</h1>')
    expect(text).toContain(
      `Start-BitsTransfer -TransferType Upload -Source C:\\a.zip -Destination ${origin}/a.zip`,
    )
    expect(text).toContain('can be neither listed nor downloaded')
    const plain = await fetch(origin)
    expect(plain.headers.get('content-type')).toBe('text/plain; charset=utf-8')
    expect(await plain.text()).toMatch(/^BITS upload server\n\n.*\n {2}bitsadmin \/transfer job \/upload /s)
    expect((await fetch(origin, { method: 'HEAD' })).status).toBe(200)
    expect((await fetch(origin, { method: 'POST' })).status).toBe(404)
  })

  test('names the path, the password and the other pages', async () => {
    const { origin } = await start({ path: '/in', list: true, live: true, htpasswd: 'users' })
    const text = await (await fetch(origin, { headers: html })).text()
    expect(text).toContain(`${origin}/in/a.zip -Authentication Basic -Credential (Get-Credential)`)
    expect(text).not.toContain('bitsadmin')
    expect(text).toContain('<a href="/in/">Uploaded files</a>')
    expect(text).toContain('<a href="/live/">Uploads in progress</a>')
    const listing = await (await fetch(`${origin}/in/`, { headers: html })).text()
    expect(listing).toContain('<a href="/live/">Uploads in progress</a>')
    expect((await start({ path: '/in' })).origin).toBeDefined()
  })

  test('is also at the path of uploads', async () => {
    const { origin } = await start({ path: '/in' })
    for (const path of ['/', '/in', '/in/'])
      expect([path, (await fetch(origin + path)).status]).toEqual([path, 200])
    expect((await fetch(`${origin}/in/x`)).status).toBe(404)
  })

  test('answers unknown paths with a page in the same style for browsers, otherwise with text', async () => {
    const { origin } = await start()
    const page = await fetch(`${origin}/nothing`, { headers: html })
    const text = await page.text()
    expect([page.status, page.headers.get('content-type')]).toEqual([404, 'text/html; charset=utf-8'])
    expect(text).toContain('<h1>Not Found</h1>')
    expect(text).not.toContain('nothing')
    const plain = await fetch(`${origin}/nothing`)
    expect([plain.status, await plain.text()]).toEqual([404, 'Not Found'])
  })

  test('shows a host only if it cannot be anything else', async () => {
    const { port } = await start()
    for (const host of ['a"><script>', 'a b', '']) {
      const connection = await RawConnection.open(port)
      const answer = await connection.exchange(`GET / HTTP/1.1\r\nHost: ${host}\r\nAccept: text/html\r\n\r\n`)
      expect(answer.body.toString()).toContain('http://SERVER/a.zip')
      expect(answer.body.toString()).not.toContain('<script')
      connection.end()
    }
  })

  test('allows its own style, and nothing else', async () => {
    const { origin } = await start({ list: true, path: '/in' })
    for (const path of ['/', '/in/']) {
      const page = await fetch(origin + path, { headers: html })
      const [, style = ''] = /<style>(.*)<\/style>/s.exec(await page.text()) ?? []
      const digest = createHash('sha256').update(style).digest('base64')
      expect(page.headers.get('content-security-policy')).toBe(
        `default-src 'none'; style-src 'sha256-${digest}'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'`,
      )
      expect(page.headers.get('x-content-type-options')).toBe('nosniff')
    }
  })
})

describe('HEAD without --read', () => {
  test('tells users whether a file exists, as DFIR-ORC asks before it uploads', async () => {
    const { origin, folder } = await start({}, alice)
    await mkdir(join(folder, 'logs'))
    await writeFile(join(folder, 'logs', 'a.7z'), 'hello')
    const head = (path: string) => fetch(origin + path, { method: 'HEAD' })
    const found = await head('/logs/a.7z')
    expect([found.status, found.headers.get('content-length')]).toEqual([200, '5'])
    for (const path of ['/logs/b.7z', '/logs/', '/logs', '/BITS-Sessions/x'])
      expect([path, (await head(path)).status]).toEqual([path, 404])
    expect((await fetch(`${origin}/logs/a.7z`)).status).toBe(404)
  })

  test('tells unauthenticated clients nothing', async () => {
    const { origin, folder } = await start()
    await writeFile(join(folder, 'a.7z'), 'hello')
    expect((await fetch(`${origin}/a.7z`, { method: 'HEAD' })).status).toBe(404)
  })
})

test.each([
  [0, '0 bytes'],
  [1023, '1023 bytes'],
  [1024, '1.0 KiB'],
  [67_108_864, '64.0 MiB'],
  [10 * 1024 ** 3, '10.0 GiB'],
])('%d bytes read the same in the terminal and on the page', async (count, text) => {
  // A script of the page, which has no type declarations.
  const script = '../../lib/dashboard/public/format.js'
  const { bytes }: { bytes(count: number): string } = await import(script)
  expect([readable(count), bytes(count)]).toEqual([text, text])
})

describe('the buttons of the live page of serve', () => {
  /** Not with `fetch()`, which sets the Host header itself. */
  function press(port: number, host: string): Promise<number | undefined> {
    const headers = { 'X-BITS-Dashboard': '1', 'Sec-Fetch-Site': 'same-origin', Host: host }
    return new Promise((resolve, reject) => {
      const options = { host: '127.0.0.1', port, path: '/live/sweep', method: 'POST', headers, agent: false }
      const outgoing = request(options, (response) => {
        response.resume().on('end', () => resolve(response.statusCode))
      })
      outgoing.on('error', reject).end()
    })
  }
  const ACTIONS = { live: true, liveActions: true } as const

  test('work under names of this machine, not under one that a web site made resolve to it', async () => {
    const { port } = await start({ ...ACTIONS, liveHost: 'Proxy.example' })
    const foreign = ['evil.example', 'evil.example:8080', '127.0.0.1.evil.example', 'notlocalhost', 'a b']
    for (const host of foreign) expect([host, await press(port, host)]).toEqual([host, 403])
    const own = ['127.0.0.1', `localhost:${port}`, 'a.localhost', '[::1]:80', hostname(), 'proxy.example']
    for (const host of own) expect([host, await press(port, host)]).toEqual([host, 200])
  })

  test('work under every name if users are known or other machines reach the server', async () => {
    const withUsers = await start(ACTIONS, alice)
    const onNetwork = await start({ ...ACTIONS, host: '0.0.0.0' })
    for (const { port } of [withUsers, onNetwork]) expect(await press(port, 'files.example.com')).toBe(200)
  })
})
