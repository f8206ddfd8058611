import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, test } from '@jest/globals'
import { uploadFile } from 'express-bits-upload/client'
import { fixtures } from '../support/fixtures.js'
import { Server } from './command.js'

const { directory, afterwards } = fixtures()

async function start(folder: string, flags: readonly string[]): Promise<Server> {
  const server = await Server.start(folder, flags)
  afterwards(() => server.kill('SIGKILL'))
  return server
}

test('serve --metrics --health: metrics can be scraped, and the server says that it is ready', async () => {
  const server = await start(await directory(), ['--metrics', '--health', '/ready'])
  await uploadFile(Buffer.from('hello'), `${server.origin}/a.txt`)
  const text = await (await fetch(`${server.origin}/metrics`)).text()
  expect(text).toContain('\nbits_upload_received_bytes_total 5\n')
  expect(text).not.toContain('a.txt')
  const health = await fetch(`${server.origin}/ready`)
  expect([health.status, await health.json()]).toEqual([200, { storage: 'ok', sessions: 'ok' }])
  expect((await fetch(`${server.origin}/health`)).status).toBe(404)
})

test('with passwords, health is public and metrics are not', async () => {
  const folder = await directory()
  const users = join(folder, 'users')
  await writeFile(users, 'alice:$2y$05$DNoAuSiaKq57p9e/AXsF9uLcjPZXSdYxRZT1bu/k2lWiSnWdxNM/K\n')
  const server = await start(join(folder, 'in'), ['--htpasswd', users, '--metrics', '--health'])
  expect((await fetch(`${server.origin}/health`)).status).toBe(200)
  expect((await fetch(`${server.origin}/metrics`)).status).toBe(401)
})

test('serve --log-format json: one object per request, without secrets', async () => {
  const server = await start(await directory(), ['--log-format', 'json'])
  await uploadFile(Buffer.from('hello'), `${server.origin}/a.txt?token=secret`)
  await server.stop()
  const lines = server.stdout.trim().split('\n')
  const fragment = lines.map((line) => JSON.parse(line)).find(({ packet }) => packet === 'Fragment')
  expect(fragment).toMatchObject({ method: 'BITS_POST', url: '/a.txt?token=***', status: 200 })
  expect(fragment.upload).toMatch(/^[0-9a-f]{32}$/)
  expect(fragment.milliseconds).toBeGreaterThanOrEqual(0)
  expect(server.stdout).not.toContain('secret')
})
