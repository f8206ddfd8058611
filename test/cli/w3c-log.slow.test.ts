import { once } from 'node:events'
import { readFile, rename } from 'node:fs/promises'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { expect, test } from '@jest/globals'
import express from 'express'
import fc from 'fast-check'
import { rememberUser } from '../../lib/cli/serve/authenticate.js'
import { w3cHeader, w3cLog } from '../../lib/cli/serve/w3c-log.js'
import { fixtures } from '../support/fixtures.js'
import { createSession, fragment, openSession } from '../support/raw.js'
import { Server } from './command.js'

const { directory, connect, afterwards } = fixtures()

/** The fields of each line by name, as programs for IIS logs read them. */
function read(text: string): Record<string, string>[] {
  let names: string[] = []
  const rows: Record<string, string>[] = []
  for (const line of text.split('\n').slice(0, -1)) {
    if (line.startsWith('#Fields: ')) names = line.slice('#Fields: '.length).split(' ')
    if (line.startsWith('#')) continue
    // Any white space separates fields, as in some of these programs.
    const values = line.split(/\s/u)
    expect(values).toHaveLength(names.length)
    rows.push(Object.fromEntries(names.map((name, index) => [name, values[index] ?? ''])))
  }
  return rows
}

test('serve --log-format w3c: the log has the header and fields of IIS, even after rotation', async () => {
  const path = join(await directory(), 'access.log')
  const server = await Server.start(await directory(), ['--log-format', 'w3c', '--access-log', path])
  afterwards(() => server.kill('SIGKILL'))
  const connection = await connect(server)
  const id = await openSession(connection, '/a%20b.bin?token=secret')
  await connection.exchange(createSession('/con'))
  connection.write(fragment('/a%20b.bin', id, Buffer.alloc(1000)).subarray(0, -500))
  connection.reset()
  while (!(await readFile(path, 'utf8')).includes(' 499 ')) await fetch(server.origin)

  const text = await readFile(path, 'utf8')
  expect(text).toMatch(
    /^#Software: express-bits-upload \d\S*\n#Version: 1\.0\n#Date: \d{4}-\d\d-\d\d \d\d:\d\d:\d\d\n#Fields: date time s-ip cs-method /,
  )
  const rows = read(text)
  expect(rows[0]).toMatchObject({
    date: expect.stringMatching(/^\d{4}-\d\d-\d\d$/),
    time: expect.stringMatching(/^\d\d:\d\d:\d\d$/),
    's-ip': '127.0.0.1',
    's-port': String(server.port),
    'c-ip': '127.0.0.1',
    'cs-method': 'BITS_POST',
    'cs-uri-stem': '/a%20b.bin',
    'cs-uri-query': 'token=***',
    'cs-username': '-',
    'cs(Referer)': '-',
    'sc-status': '200',
    'sc-substatus': '0',
    'sc-win32-status': '0',
    'time-taken': expect.stringMatching(/^\d+$/),
  })
  expect(rows[1]).toMatchObject({ 'sc-status': '403', 'sc-win32-status': '5' })
  const disconnected = rows.find((row) => row['sc-status'] === '499')
  expect(disconnected).toMatchObject({ 'cs-uri-stem': '/a%20b.bin', 'sc-win32-status': '64' })
  expect(text).not.toContain('secret')

  await rename(path, `${path}.1`)
  process.kill(server.pid, 'SIGHUP')
  while (!(await readFile(path, 'utf8').catch(() => '')).includes('/later')) {
    await fetch(`${server.origin}/later`)
  }
  expect(await readFile(path, 'utf8')).toMatch(/^#Software: .*\n#Version: 1\.0\n#Date: .*\n#Fields: .*\n\d/)
})

test('nothing that a client sends creates a line, a field or a directive', async () => {
  const lines: string[] = []
  const app = express().use(
    (req, _res, next) => {
      rememberUser(req, Buffer.from(String(req.headers['x-user']), 'hex').toString())
      next()
    },
    w3cLog({ write: (line) => void lines.push(line) }),
    (_req, res) => void res.end(),
  )
  const server = createServer(app).listen(0, '127.0.0.1')
  afterwards(() => server.close())
  await once(server, 'listening')
  const connection = await connect(server.address() as AddressInfo)
  const piece = fc.constantFrom(
    ' ',
    '\t',
    '\n#Fields: x\n',
    '\r',
    '#',
    '+',
    '\u00a0',
    '\u2028',
    '\u3000',
    'é',
    'a',
  )
  const hostile = fc.array(piece, { maxLength: 8 }).map((pieces) => pieces.join(''))
  const latin1 = (text: string) => Buffer.from(text.replace(/[\r\n]/g, ''))
  await fc.assert(
    fc.asyncProperty(hostile, hostile, hostile, hostile, async (user, agent, referer, query) => {
      lines.splice(0)
      const head = [
        Buffer.from(`GET /a?${encodeURIComponent(query)} HTTP/1.1\r\nHost: x\r\n`),
        Buffer.from(`X-User: ${Buffer.from(user).toString('hex')}\r\nUser-Agent: `),
        latin1(agent),
        Buffer.from('\r\nReferer: '),
        latin1(referer),
        Buffer.from('\r\n\r\n'),
      ]
      expect((await connection.exchange(Buffer.concat(head))).status).toBe(200)
      expect(lines).toHaveLength(1)
      const [row] = read(w3cHeader() + lines.join(''))
      expect(row).toMatchObject({ 'cs-method': 'GET', 'cs-uri-stem': '/a', 'sc-status': '200' })
    }),
    { numRuns: 50 },
  )
})
