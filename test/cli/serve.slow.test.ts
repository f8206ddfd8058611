import { execFile } from 'node:child_process'
import { mkdir, readdir, readFile, symlink, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { describe, expect, test } from '@jest/globals'
import { uploadFile } from 'express-bits-upload/client'
import { Authority } from '../support/certificates.js'
import { fixtures } from '../support/fixtures.js'
import { fragment, openSession, RawConnection } from '../support/raw.js'
import { clientError, contentOf, FAST, withFile } from '../support/upload-fixture.js'
import { Command, Server } from './command.js'

const { directory, afterwards } = fixtures()

async function start(folder: string, flags: readonly string[] = []): Promise<Server> {
  const server = await Server.start(folder, flags)
  afterwards(() => server.kill('SIGKILL'))
  return server
}

const upload = (server: Server, path: string, content = 'hello') =>
  withFile(0, async ({ path: file }) => {
    await writeFile(file, content)
    await uploadFile(file, `${server.origin}${path}`, { ...FAST, retries: 0 })
  })

describe('serve', () => {
  test('receives uploads, shows nothing by default, and stops cleanly', async () => {
    const folder = join(await directory(), 'made', 'by', 'serve')
    const server = await start(folder)
    await upload(server, '/a%20b/c.txt')
    expect(await readFile(join(folder, 'a b', 'c.txt'), 'utf8')).toBe('hello')
    for (const path of ['/a%20b/', '/a%20b/c.txt', '/live/', '/BITS-Sessions/']) {
      expect([path, (await fetch(server.origin + path)).status]).toEqual([path, 404])
    }
    const head = await fetch(`${server.origin}/a%20b/c.txt`, { method: 'HEAD' })
    expect(head.status).toBe(404)
    expect((await fetch(`${server.origin}/x`, { method: 'PUT', body: 'x' })).status).toBe(404)
    expect(await server.stop('SIGINT')).toBe(0)
    expect(server.stderr).toMatch(/Start-BitsTransfer .* http:\/\/127\.0\.0\.1:\d+\/a\.zip/)
    expect(server.stderr).not.toMatch(/^\s+at /m)
  })

  test('lists directories and serves files with --list', async () => {
    const folder = await directory()
    const outside = await directory()
    await writeFile(join(outside, 'secret.txt'), 'secret')
    await mkdir(join(folder, 'logs'))
    await writeFile(join(folder, 'logs', '<b>&.html'), '<script>')
    await writeFile(join(folder, '.hidden'), 'hidden')
    await symlink(outside, join(folder, 'way-out'))
    await symlink(join(folder, 'BITS-Sessions'), join(folder, 'way-in'))
    const server = await start(folder, ['--path', '/files', '--list'])
    const base = `${server.origin}/files`
    await upload(server, '/files/new.txt')

    const page = await fetch(`${base}/`)
    const html = await page.text()
    expect(page.headers.get('content-security-policy')).toContain("default-src 'none'")
    expect(html).toContain('href="./logs/"')
    expect(html).toContain('href="./new.txt"')
    expect(html.slice(html.indexOf('</style>'))).not.toMatch(/BITS-Sessions|hidden|way-/)
    const below = await (await fetch(`${base}/logs`)).text()
    expect(below).toContain('href="./%3Cb%3E%26.html">&lt;b&gt;&amp;.html</a>')
    const json: unknown = await (await fetch(`${base}/`, { headers: { accept: 'application/json' } })).json()
    expect(json).toMatchObject([{ name: 'logs/' }, { name: 'new.txt', size: 5 }])

    const file = await fetch(`${base}/logs/%3Cb%3E%26.html`, { headers: { range: 'bytes=1-6' } })
    expect([file.status, await file.text()]).toEqual([206, 'script'])
    expect(file.headers.get('content-disposition')).toBe('attachment')
    expect(file.headers.get('content-security-policy')).toMatch(/^sandbox/)
    const head = await fetch(`${base}/new.txt`, { method: 'HEAD' })
    expect([head.status, head.headers.get('content-length')]).toEqual([200, '5'])

    const [record] = await readdir(join(folder, 'BITS-Sessions'))
    for (const path of [
      '.hidden',
      'way-out/',
      'way-out/secret.txt',
      'way-in/',
      `way-in/${record}`,
      'BITS-Sessions/',
    ]) {
      expect([path, (await fetch(`${base}/${path}`)).status]).toEqual([path, 404])
    }
    for (const path of [
      `bits-sessions/${record}`,
      `x/..%2fBITS-Sessions%2f${record}`,
      '%00',
      '%ff',
      'new.txt/',
    ]) {
      expect([path, (await fetch(`${base}/${path}`)).status]).toEqual([path, 404])
    }
  })

  test('serves files, but no listing, with --read', async () => {
    const folder = await directory()
    await writeFile(join(folder, 'a.txt'), 'hello')
    const server = await start(folder, ['--read'])
    expect(await (await fetch(`${server.origin}/`)).text()).not.toContain('a.txt')
    expect(await (await fetch(`${server.origin}/a.txt`)).text()).toBe('hello')
  })

  test('shows uploads while they happen with --live', async () => {
    const server = await start(await directory(), ['--live-path', '/watch'])
    expect(server.stderr).toContain('/watch/')
    const page = await (await fetch(`${server.origin}/watch`)).text()
    const assets = [...page.matchAll(/(?:src|href)="\.\/([^"]+)"/g)].map(([, name]) => name)
    expect(assets).toEqual(['icon.svg', 'style.css', 'live.js'])
    for (const name of [...assets, 'active.js', 'format.js']) {
      expect([name, (await fetch(`${server.origin}/watch/${name}`)).status]).toEqual([name, 200])
    }
    const events = await fetch(`${server.origin}/watch/events`)
    const chunks = events.body?.pipeThrough(new TextDecoderStream()).getReader()
    let stream = ''
    await upload(server, '/a.txt')
    while (!stream.includes('"uploaded"')) stream += (await chunks?.read())?.value ?? ''
    expect(stream).toMatch(/^retry: 1000\n\nevent: snapshot\ndata: \{.*"sessions":\[\],"ended":\[\]/)
    expect(stream).toMatch(/event: update\ndata: \{.*"name":"a.txt",.*"outcome":"uploaded"/)
    // An open page does not keep the server from stopping.
    expect(await server.stop()).toBe(0)
  })

  test('speaks https with --tls-cert and --tls-key', async () => {
    const folder = await directory()
    const authority = await Authority.create(folder)
    const { certFile, keyFile } = await authority.issue('server')
    const server = await start(join(folder, 'in'), ['--tls-cert', certFile, '--tls-key', keyFile])
    expect(server.origin).toMatch(/^https:/)
    await withFile(10_000, async ({ path, content }) => {
      const options = { tls: { ca: authority.own.cert } }
      await uploadFile(path, `${server.origin}/a.bin`, options)
      expect((await readFile(join(folder, 'in', 'a.bin'))).equals(content)).toBe(true)
    })
  })

  test('enforces its limits', async () => {
    const folder = await directory()
    await writeFile(join(folder, 'old.txt'), 'old')
    const flags = [
      '--max-upload-size',
      '1KB',
      '--overwrite',
      '--max-fragment-size',
      '5KB',
      '--no-create-directories',
    ]
    const server = await start(folder, flags)
    await upload(server, '/old.txt', 'new')
    expect(await readFile(join(folder, 'old.txt'), 'utf8')).toBe('new')
    const error = await clientError(upload(server, '/big.txt', contentOf(1025).toString('latin1')))
    expect(error.hresultName).toBe('BG_E_TOO_LARGE')
    expect((await clientError(upload(server, '/no/such/directory.txt'))).status).toBe(404)
  })

  test('is configured like an IIS virtual directory by --iis and --iis-file', async () => {
    const folder = await directory()
    await writeFile(join(folder, 'old.txt'), 'old')
    const file = join(folder, 'iis.json')
    await writeFile(
      file,
      '\uFEFF{ "BITSMaximumUploadSize": "1000", "BITSAllowOverwrites": 1, "BITSHostId": null }',
    )
    const server = await start(folder, ['--iis-file', file, '--iis', 'BITSAllowOverwrites=1'])
    await upload(server, '/old.txt', 'new')
    expect(await readFile(join(folder, 'old.txt'), 'utf8')).toBe('new')
    const error = await clientError(upload(server, '/big.txt', 'x'.repeat(1001)))
    expect(error.hresultName).toBe('BG_E_TOO_LARGE')
  })

  test('reads the UTF-16 files of PowerShell 5, and warns of properties without effect', async () => {
    const folder = await directory()
    const file = join(folder, 'iis.json')
    const text = '\uFEFF{ "BITSMaximumUploadSize": "1000", "MaxConnections": 5 }'
    for (const bytes of [Buffer.from(text, 'utf16le'), Buffer.from(text, 'utf16le').swap16()]) {
      await writeFile(file, bytes)
      const server = await start(await directory(), ['--iis-file', file])
      expect(server.stderr).toContain('warning: IIS properties: MaxConnections 5 has no option')
      const error = await clientError(upload(server, '/big.txt', 'x'.repeat(1001)))
      expect(error.hresultName).toBe('BG_E_TOO_LARGE')
    }
  })

  test('gives no named pipe to read: four readers of one would keep all others from their files', async () => {
    const folder = await directory()
    await promisify(execFile)('mkfifo', [join(folder, 'pipe')])
    await writeFile(join(folder, 'a.txt'), 'hello')
    const server = await start(folder, ['--list'])
    const answers = Array.from({ length: 6 }, () => fetch(`${server.origin}/pipe`))
    for (const answer of answers) expect((await answer).status).toBe(404)
    expect(await (await fetch(`${server.origin}/a.txt`)).text()).toBe('hello')
    expect(await server.stop()).toBe(0)
  })

  test('listens on an IPv6 address with or without brackets', async () => {
    for (const host of ['::1', '[::1]']) {
      const server = await start(await directory(), ['--host', host])
      expect(new URL(server.origin).hostname).toBe('[::1]')
      expect((await fetch(server.origin)).status).toBe(200)
    }
  })

  test('accepts 60 KB of headers, and refuses 70 KB', async () => {
    const { origin } = await start(await directory(), ['--list'])
    const statusFor = async (size: number) =>
      (await fetch(origin, { headers: { cookie: 'x'.repeat(size) } })).status
    expect(await statusFor(60_000)).toBe(200)
    expect(await statusFor(70_000)).toBe(431)
  })

  test('shares a directory with another server with --shared', async () => {
    const folder = await directory()
    const servers = [await start(folder, ['--shared']), await start(folder, ['--shared'])]
    await Promise.all(servers.map((server, n) => upload(server, `/${n}.txt`)))
    const [one, other] = servers
    if (!one || !other) throw new Error('Two servers were started.')
    const file = Buffer.from('shared')
    const first = await RawConnection.open(one.port)
    const second = await RawConnection.open(other.port)
    const id = await openSession(first, '/s.txt')
    expect((await second.exchange(fragment('/s.txt', id, file, 0, 2))).status).toBe(200)
    expect((await first.exchange(fragment('/s.txt', id, file, 3))).status).toBe(200)
    expect(await readFile(join(folder, 's.txt'), 'utf8')).toBe('shared')
    first.end()
    second.end()
  })

  test('refuses a directory without a name', async () => {
    const command = new Command(['serve', '', '--port', '0'])
    expect(await command.exit).toBe(2)
    expect(command.stderr).toContain('error: the directory has no name')
  })

  test('refuses an invalid certificate, and warns about an expired one', async () => {
    const folder = await directory()
    const authority = await Authority.create(folder)
    const { keyFile } = await authority.issue('server')
    const empty = join(folder, 'empty.pem')
    await writeFile(empty, '')
    const flags = ['serve', folder, '--port', '0', '--tls-key', keyFile, '--tls-cert']
    const command = new Command([...flags, empty])
    expect(await command.exit).toBe(2)
    expect(command.stderr).toMatch(/^error: --tls-cert .*empty\.pem holds no certificate in PEM\..+\n$/)
    const { certFile } = authority.own
    const noKey = new Command(['serve', folder, '--port', '0', '--tls-cert', certFile, '--tls-key', empty])
    expect(await noKey.exit).toBe(2)
    const over = await authority.issue('over', 0)
    const server = await start(folder, ['--tls-cert', over.certFile, '--tls-key', over.keyFile])
    expect(server.stderr).toMatch(/^warning: the certificate of --tls-cert expired at .+ GMT\.$/m)
  })

  test('says in one sentence why it cannot start, and exits with 1', async () => {
    const folder = await directory()
    const { port } = await start(folder)
    const taken = new Command(['serve', await directory(), '--port', String(port)])
    expect(await taken.exit).toBe(1)
    expect(taken.stderr).toBe(
      `error: cannot listen on 127.0.0.1 port ${port}: another program uses it; choose another --port.\n`,
    )
    const file = join(folder, 'a file')
    await writeFile(file, '')
    const noDirectory = new Command(['serve', file, '--port', '0'])
    expect(await noDirectory.exit).toBe(1)
    expect(noDirectory.stderr).toMatch(
      /^error: .*a file is not a directory: name the directory for the uploads\.\n$/,
    )
  })
})
