import { readFile } from 'node:fs/promises'
import { connect } from 'node:net'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { describe, expect, test } from '@jest/globals'
import { stagedFiles } from '../support/files.js'
import { fixtures } from '../support/fixtures.js'
import { fragment, openSession, packet } from '../support/raw.js'
import { contentOf, KB } from '../support/upload-fixture.js'
import { Server } from './command.js'

const { directory, connect: open, afterwards } = fixtures()
const FILE = contentOf(1000 * KB)

async function start(folder: string, flags: readonly string[] = []): Promise<Server> {
  const server = await Server.start(folder, ['--log-format', 'bits', ...flags])
  afterwards(() => server.kill('SIGKILL'))
  return server
}

/** A fragment whose second half has not been sent, so that the server waits for it. */
async function halfway(server: Server, folder: string) {
  const connection = await open(server)
  const id = await openSession(connection, '/a.bin')
  const request = fragment('/a.bin', id, FILE, 0, 600 * KB - 1)
  const middle = request.length - 250 * KB
  connection.write(request.subarray(0, middle))
  const [staged = ''] = await stagedFiles(folder)
  while ((await readFile(join(folder, 'BITS-Sessions', staged))).length === 0) await sleep(5)
  return { connection, id, rest: request.subarray(middle), staged }
}

describe('serve at SIGTERM', () => {
  test('lets a running fragment finish, and continues its session at the next start', async () => {
    const folder = await directory()
    const server = await start(folder)
    const idle = await open(server)
    const { connection, id, rest } = await halfway(server, folder)
    server.kill('SIGTERM')
    await server.until('stderr', /^Stopping/m)
    // Idle clients are disconnected, and new ones are not accepted.
    await idle.closed()
    // Node closes idle connections a moment before it stops listening.
    if (await connects(server.port)) await sleep(200)
    await expect(connects(server.port)).resolves.toBe(false)
    connection.write(rest)
    const ack = await connection.ack()
    expect([ack.status, ack.header('BITS-Received-Content-Range')]).toEqual([200, String(600 * KB)])
    expect(ack.header('Connection')).toBe('close')
    await connection.closed()
    expect(await server.exit).toBe(0)
    expect(server.stdout).toMatch(/"BITS_POST \/a\.bin HTTP\/1\.1" 200 0 Fragment [0-9a-f]{32} [\d.]+\n$/)

    const next = await start(folder)
    const again = await open(next)
    const last = await again.exchange(fragment('/a.bin', id, FILE, 600 * KB))
    expect(last.status).toBe(200)
    expect((await readFile(join(folder, 'a.bin'))).equals(FILE)).toBe(true)
    const close = await again.exchange(packet('Close-Session', '/a.bin', { 'BITS-Session-Id': id }))
    expect(close.status).toBe(200)
    expect(await next.stop()).toBe(0)
  })

  test('aborts requests that take longer than --grace, and keeps what has arrived', async () => {
    const folder = await directory()
    const server = await start(folder, ['--grace', '0.3'])
    const { connection, staged } = await halfway(server, folder)
    server.kill('SIGTERM')
    expect(await server.exit).toBe(0)
    await connection.closed()
    expect(server.stderr).toContain('warning: 1 requests took longer than 0.3 s and were cut.')
    const kept = await readFile(join(folder, 'BITS-Sessions', staged))
    expect(kept.length).toBeGreaterThan(0)
    expect(FILE.subarray(0, kept.length).equals(kept)).toBe(true)
  })

  test('stops immediately at a second signal, but not at an echo of the first', async () => {
    const folder = await directory()
    const server = await start(folder)
    const { connection } = await halfway(server, folder)
    server.kill('SIGINT')
    await server.until('stderr', /^Stopping/m)
    server.kill('SIGINT')
    await sleep(700)
    expect(connection.socket.destroyed).toBe(false)
    server.kill('SIGINT')
    expect(await server.exit).toBe(130)
  })
})

function connects(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1')
    socket.on('connect', () => {
      socket.destroy()
      resolve(true)
    })
    socket.on('error', () => resolve(false))
  })
}

test('SIGHUP does not end a server that has nothing to reload: the systemd unit reloads with it', async () => {
  const server = await start(await directory())
  server.kill('SIGHUP')
  expect((await fetch(server.origin)).status).toBe(200)
  server.kill('SIGHUP')
  expect((await fetch(server.origin)).status).toBe(200)
  expect(await server.stop()).toBe(0)
})
