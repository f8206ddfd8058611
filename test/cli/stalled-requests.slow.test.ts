import { readdir, readFile, readlink, stat, writeFile } from 'node:fs/promises'
import { createServer, type Server as HttpServer } from 'node:http'
import { createServer as createTlsServer } from 'node:https'
import { type AddressInfo, connect as connectTcp } from 'node:net'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { connect as connectTls } from 'node:tls'
import { describe, expect, test } from '@jest/globals'
import express, { type Express } from 'express'
import { StalledRequests } from '../../lib/cli/serve/stalled-requests.js'
import { Authority } from '../support/certificates.js'
import { fixtures } from '../support/fixtures.js'
import { fragment, openSession } from '../support/raw.js'
import { Server } from './command.js'

const { directory, connect, afterwards } = fixtures()

/** The open descriptors of a process: paths of files, and sockets as `socket:[n]`. */
async function openIn(pid: number): Promise<string[]> {
  const numbers = await readdir(`/proc/${pid}/fd`)
  return Promise.all(numbers.map((fd) => readlink(`/proc/${pid}/fd/${fd}`).catch(() => '')))
}

/** The number of sockets and of files in this directory that a process has open. */
async function descriptors(pid: number, folder: string): Promise<number> {
  const open = await openIn(pid)
  return open.filter((target) => target.startsWith('socket:') || target.startsWith(folder)).length
}

/** Their number once it no longer changes: a server may see a bit later that a connection was closed. */
async function steadyDescriptors(pid: number, folder: string): Promise<number> {
  for (;;) {
    const number = await descriptors(pid, folder)
    await sleep(300)
    if ((await descriptors(pid, folder)) === number) return number
  }
}

async function until(condition: () => Promise<boolean> | boolean): Promise<void> {
  while (!(await condition())) await sleep(50)
}

describe('serve --idle-timeout', () => {
  test('ends requests whose bytes stop arriving, and keeps those that arrived', async () => {
    const folder = await directory()
    const flags = ['--idle-timeout', '2s', '--max-sessions-per-user', 'unlimited']
    const server = await Server.start(folder, flags)
    afterwards(() => server.kill('SIGKILL'))
    const file = Buffer.alloc(100_000, 'x')
    // It listens before it opens its directory, which a session waits for.
    const first = await connect(server)
    await openSession(first, '/first.bin')
    first.end()
    const before = await steadyDescriptors(server.pid, folder)
    const uploads = await Promise.all(
      Array.from({ length: 20 }, async (_, n) => {
        const connection = await connect(server)
        const id = await openSession(connection, `/${n}.bin`)
        const whole = fragment(`/${n}.bin`, id, file)
        connection.write(whole.subarray(0, whole.length - 40_000))
        // Half of them send a byte occasionally.
        const timer = n % 2 === 0 ? setInterval(() => connection.write('x'), 200) : undefined
        afterwards(() => clearInterval(timer))
        return { n, id, connection }
      }),
    )
    for (const { connection } of uploads) await connection.closed()
    await until(async () => (await descriptors(server.pid, folder)) === before)

    for (const { n, id } of uploads) {
      const connection = await connect(server)
      // Leaves a gap: the answer contains the number of received bytes.
      const ack = await connection.exchange(fragment(`/${n}.bin`, id, file, file.length - 1))
      expect(ack.status).toBe(416)
      expect(Number(ack.header('BITS-Received-Content-Range'))).toBeGreaterThanOrEqual(60_000)
      const received = Number(ack.header('BITS-Received-Content-Range'))
      expect((await connection.exchange(fragment(`/${n}.bin`, id, file, received))).status).toBe(200)
      expect((await stat(join(folder, `${n}.bin`))).size).toBe(file.length)
      expect((await readFile(join(folder, `${n}.bin`))).equals(file)).toBe(true)
      connection.end()
    }
    expect(await server.stop()).toBe(0)
  })

  test('does not end a slow but steady upload, even if the server itself throttles it', async () => {
    const folder = await directory()
    const server = await Server.start(folder, ['--idle-timeout', '2s', '--max-session-bandwidth', '20KB'])
    afterwards(() => server.kill('SIGKILL'))
    const slow = Buffer.alloc(30_000, 's')
    const large = Buffer.alloc(80_000, 'l')
    const steady = async () => {
      const connection = await connect(server)
      const bytes = fragment('/slow', await openSession(connection, '/slow'), slow)
      for (let at = 0; at < bytes.length; at += 2000) {
        connection.write(bytes.subarray(at, at + 2000))
        await sleep(250)
      }
      return connection.ack()
    }
    const throttled = async () => {
      const connection = await connect(server)
      return connection.exchange(fragment('/large', await openSession(connection, '/large'), large))
    }
    const acks = await Promise.all([steady(), throttled()])
    expect(acks.map(({ status }) => status)).toEqual([200, 200])
  })
})

describe('stalled requests', () => {
  async function start(timeout: number, setUp: (app: Express) => void, create = createServer as Create) {
    const ended: string[] = []
    const stalled = new StalledRequests(timeout, ({ url }) => void ended.push(url))
    const app = express().use(stalled.middleware)
    setUp(app)
    const server = create(app).listen(0, '127.0.0.1')
    await new Promise((resolve) => server.on('listening', resolve))
    afterwards(() => {
      stalled.close()
      server.close()
      server.closeAllConnections()
    })
    return { ended, port: (server.address() as AddressInfo).port }
  }
  type Create = (app: Express) => HttpServer

  test('end if the client does not read the response', async () => {
    const folder = await directory()
    await writeFile(join(folder, 'large'), Buffer.alloc(20_000_000))
    const { ended, port } = await start(0.5, (app) => app.use(express.static(folder)))
    const socket = connectTcp(port, '127.0.0.1')
    afterwards(() => socket.destroy())
    socket.pause()
    socket.write('GET /large HTTP/1.1\r\nHost: a\r\n\r\n')
    await until(() => ended.length > 0)
    expect(ended).toEqual(['/large'])
    socket.on('error', () => {})
    const closed = new Promise((resolve) => socket.on('close', resolve))
    socket.resume()
    await closed
  })

  test('do not end while the server is slow to answer or to read', async () => {
    const { ended, port } = await start(0.2, (app) => {
      app.post('/slow', (req, res) => void setTimeout(() => req.resume().on('end', () => res.end()), 1000))
      app.get('/slow', (_req, res) => void setTimeout(() => res.send('done'), 1000))
    })
    const body = Buffer.alloc(1_000_000)
    const answers = await Promise.all([
      fetch(`http://127.0.0.1:${port}/slow`),
      fetch(`http://127.0.0.1:${port}/slow`, { method: 'POST', body }),
    ])
    expect(answers.map(({ status }) => status)).toEqual([200, 200])
    expect(ended).toEqual([])
  })

  test('end if the body of an answered request does not arrive', async () => {
    const { ended, port } = await start(0.5, (app) => app.use((_req, res) => void res.sendStatus(401)))
    const socket = connectTcp(port, '127.0.0.1')
    afterwards(() => socket.destroy())
    socket.on('error', () => {}).resume()
    const closed = new Promise((resolve) => socket.on('close', resolve))
    socket.write('POST /refused HTTP/1.1\r\nHost: a\r\nContent-Length: 1000000\r\n\r\nx')
    await closed
    expect(ended).toEqual(['/refused'])
  })

  test('also end over TLS', async () => {
    const authority = await Authority.create(await directory())
    const { cert, key } = await authority.issue('server')
    const { ended, port } = await start(
      1,
      (app) => app.post('/*path', (req) => void req.resume()),
      (app) => createTlsServer({ cert, key }, app),
    )
    const head = (path: string) => `POST ${path} HTTP/1.1\r\nHost: a\r\nContent-Length: 1000000\r\n\r\n`
    const open = (path: string) => {
      const socket = connectTls({ port, host: '127.0.0.1', ca: authority.own.cert })
      socket.on('error', () => {})
      socket.write(head(path))
      afterwards(() => socket.destroy())
      return socket
    }
    const steady = open('/steady')
    const timer = setInterval(() => steady.write(Buffer.alloc(2000)), 100)
    afterwards(() => clearInterval(timer))
    open('/stalled')
    await until(() => ended.length > 0)
    await sleep(1500)
    expect(ended).toEqual(['/stalled'])
  })
})
