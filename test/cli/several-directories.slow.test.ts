import { readdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, test } from '@jest/globals'
import { uploadFile } from 'express-bits-upload/client'
import { fixtures } from '../support/fixtures.js'
import { createSession, fragment, openSession } from '../support/raw.js'
import { Server } from './command.js'

const { directory, afterwards, connect } = fixtures()
/** The hash of "correct horse" from `htpasswd -nbB`. */
const HASH = '$2y$05$Vz/g63LtXKXpTN9uPzCLA.nD2ht2kO2Xs.fg144XAGgdCdSd64haW'
const basic = (user: string) => ({
  Authorization: `Basic ${Buffer.from(`${user}:correct horse`).toString('base64')}`,
})

/** Writes a configuration file. Returns its path and its directory. */
async function configured(config: object): Promise<{ file: string; folder: string }> {
  const folder = await directory()
  const file = join(folder, 'server.json')
  await writeFile(file, JSON.stringify({ port: 0, ...config }))
  await writeFile(join(folder, 'partners'), `alice:${HASH}\n`)
  await writeFile(join(folder, 'operators'), `olga:${HASH}\n`)
  return { file, folder }
}

async function started(file: string, flags: readonly string[] = []): Promise<Server> {
  const server = new Server(['serve', '--config', file, ...flags])
  afterwards(() => server.kill('SIGKILL'))
  const [, origin = '', port] = await server.until('stderr', /^Uploads to (http:\/\/127\.0\.0\.1:(\d+))\//m)
  server.origin = origin
  server.port = Number(port)
  return server
}

describe('serve --config with several directories', () => {
  test('each has settings of its own, and a restarted server continues the uploads of all', async () => {
    const { file, folder } = await configured({
      'max-upload-size': 5,
      list: true,
      directories: [
        { path: '/evidence', directory: 'evidence', 'max-upload-size': '1KB', list: false },
        { path: '/inventory', directory: 'inventory', overwrite: true },
        { path: '/checked', directory: 'checked', 'on-upload': './check', 'max-upload-size': 10 },
      ],
    })
    await writeFile(join(folder, 'check'), '#!/bin/sh\nexit 65\n', { mode: 0o755 })
    const words = ['--access-log', join(folder, 'log'), '--log-format', 'bits']
    const server = await started(file, words)
    const { stderr, origin } = server
    expect(stderr).toContain(`Uploads to ${origin}/evidence/ go to ${join(folder, 'evidence')}\n`)
    expect(stderr).toContain(`Uploads to ${origin}/inventory/ go to ${join(folder, 'inventory')}\n`)
    const send = (text: string, path: string) => uploadFile(Buffer.from(text), origin + path, { retries: 0 })
    await send('six bytes', '/evidence/a/b.txt')
    await send('five!', '/inventory/pc1.json')
    await send('again', '/inventory/pc1.json')
    expect(await readFile(join(folder, 'evidence/a/b.txt'), 'utf8')).toBe('six bytes')
    expect(await readFile(join(folder, 'inventory/pc1.json'), 'utf8')).toBe('again')
    await expect(send('six bytes', '/inventory/pc2.json')).rejects.toMatchObject({ status: 500 })
    await expect(send('again', '/evidence/a/b.txt')).rejects.toMatchObject({ status: 403 })
    await expect(send('hello', '/checked/a.txt')).rejects.toMatchObject({ status: 403 })
    await expect(send('hello', '/elsewhere/a.txt')).rejects.toMatchObject({ status: 404 })
    expect((await readdir(folder)).sort()).toEqual([
      'check',
      'checked',
      'evidence',
      'inventory',
      'log',
      'operators',
      'partners',
      'server.json',
    ])
    const files = await (
      await fetch(`${origin}/inventory/`, { headers: { accept: 'application/json' } })
    ).json()
    expect(files).toMatchObject([{ name: 'pc1.json', size: 5 }])
    expect((await fetch(`${origin}/inventory/pc1.json`)).status).toBe(200)
    expect((await fetch(`${origin}/evidence/a/b.txt`)).status).toBe(404)
    const front = await (await fetch(origin)).text()
    expect(front).toContain(`To ${origin}/evidence/, from PowerShell:`)
    expect(front).toContain(`-Destination ${origin}/inventory/a.zip`)
    const page = await (await fetch(origin, { headers: { accept: 'text/html' } })).text()
    expect(page).toContain('<a href="/inventory/">Uploaded files in /inventory</a>')
    expect(page).not.toContain('Uploaded files in /evidence')
    expect(await (await fetch(`${origin}/evidence/`)).text()).toContain(`below ${origin}/evidence/.`)

    const open = ['/evidence/big.bin', '/checked/big.bin']
    const ids: string[] = []
    for (const path of open) {
      const connection = await connect(server)
      ids.push(await openSession(connection, path))
      const ack = await connection.exchange(fragment(path, ids.at(-1) ?? '', Buffer.alloc(10), 0, 4))
      expect([path, ack.status]).toEqual([path, 200])
    }
    expect(await server.stop()).toBe(0)
    const again = await started(file, words)
    for (const [index, path] of open.entries()) {
      const connection = await connect(again)
      const ack = await connection.exchange(fragment(path, ids[index] ?? '', Buffer.alloc(10), 5, 9))
      expect([path, ack.status]).toEqual([path, index === 0 ? 200 : 403])
    }
    expect(await readFile(join(folder, 'evidence/big.bin'))).toEqual(Buffer.alloc(10))
    expect(await readdir(join(folder, 'checked'))).toEqual(['BITS-Sessions'])
    expect(await again.stop()).toBe(0)
    const log = await readFile(join(folder, 'log'), 'utf8')
    expect(log).toMatch(/"BITS_POST \/evidence\/a\/b\.txt HTTP\/1\.1" 200 .* Create-Session /)
    expect(log).toMatch(/"BITS_POST \/inventory\/pc1\.json HTTP\/1\.1" 200 .* Create-Session /)
  })

  test('has one page, one set of metrics and one readiness check for all, for the users of the server', async () => {
    const { file } = await configured({
      htpasswd: 'operators',
      live: true,
      'live-actions': true,
      metrics: true,
      health: '/ready',
      directories: [
        { path: '/evidence', directory: 'evidence', htpasswd: 'partners', read: true },
        { path: '/inventory', directory: 'inventory' },
      ],
    })
    const server = await started(file)
    const { origin } = server
    await uploadFile(Buffer.from('hello'), `${origin}/evidence/a.txt`, {
      headers: basic('alice'),
      retries: 0,
    })
    await uploadFile(Buffer.from('world!'), `${origin}/inventory/b.txt`, {
      headers: basic('olga'),
      retries: 0,
    })
    const statusOf = async (path: string, user?: string, method = 'GET') =>
      (await fetch(origin + path, { method, headers: user === undefined ? {} : basic(user) })).status
    for (const [path, right, wrong] of [
      ['/evidence/a.txt', 'alice', 'olga'],
      ['/', 'olga', 'alice'],
      ['/live/', 'olga', 'alice'],
      ['/metrics', 'olga', 'alice'],
    ] as const) {
      expect([path, await statusOf(path, right), await statusOf(path, wrong), await statusOf(path)]).toEqual([
        path,
        200,
        401,
        401,
      ])
    }
    expect(await statusOf('/inventory/b.txt', 'olga', 'HEAD')).toBe(200)
    expect(await statusOf('/inventory/b.txt', 'olga')).toBe(404)
    await expect(
      uploadFile(Buffer.from('x'), `${origin}/inventory/c.txt`, { headers: basic('alice'), retries: 0 }),
    ).rejects.toMatchObject({ status: 401 })
    const metrics = await (await fetch(`${origin}/metrics`, { headers: basic('olga') })).text()
    expect(metrics).toContain('\nbits_upload_received_bytes_total 11\n')
    const health = await fetch(`${origin}/ready`)
    expect([health.status, await health.json()]).toEqual([200, { storage: 'ok', sessions: 'ok' }])

    const connection = await connect(server)
    const create = createSession('/inventory/open.bin')
      .toString()
      .replace('\r\n', `\r\nAuthorization: ${basic('olga').Authorization}\r\n`)
    expect((await connection.exchange(create)).status).toBe(200)
    const sessions = await fetch(`${origin}/live/sessions`, { headers: basic('olga') })
    const text = await sessions.text()
    expect(text).toContain('"name":"inventory/open.bin","user":"olga"')
    const [, uploadId] = /"uploadId":"(\w+)"/.exec(text) ?? []
    const own = { ...basic('olga'), 'x-bits-dashboard': '1', 'sec-fetch-site': 'same-origin' }
    const cancelled = await fetch(`${origin}/live/cancel/${uploadId}`, { method: 'POST', headers: own })
    expect([cancelled.status, await cancelled.json()]).toEqual([200, { result: 'cancelled' }])
    expect(await server.stop()).toBe(0)
    expect(server.stderr).toContain('Stopped. Unfinished uploads continue at the next start.')
  })
})
