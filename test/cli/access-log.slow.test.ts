import { readFile, rename } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, test } from '@jest/globals'
import fc from 'fast-check'
import { maskLoggedUrl } from '../../lib/cli/serve/mask-logged-url.js'
import { reservedPathOf } from '../../lib/protocol/reply-url.js'
import { Application, ok } from '../delivery/application.js'
import { ask, upload } from '../delivery/support.js'
import { fixtures } from '../support/fixtures.js'
import { fragment, openSession } from '../support/raw.js'
import { Command, Server } from './command.js'

const { directory, connect, afterwards } = fixtures()

async function start(flags: readonly string[]): Promise<Server> {
  const server = await Server.start(await directory(), flags)
  afterwards(() => server.kill('SIGKILL'))
  return server
}

describe('the access log', () => {
  test('has a line in the Common Log Format for each request, on standard output', async () => {
    const server = await start([])
    await fetch(`${server.origin}/a?token=secret`, { headers: { authorization: 'Basic YWxpY2U6c2VjcmV0' } })
    await server.until('stdout', /\n/)
    expect(server.stdout).toMatch(
      /^127\.0\.0\.1 - - \[\d\d\/[A-Z][a-z]{2}\/\d{4}(?::\d\d){3} \+0000\] "GET \/a\?token=\*{3} HTTP\/1\.1" 404 9\n$/,
    )
  })

  test('has referrer and user agent in the combined format, goes to a file, and cannot be forged', async () => {
    const path = join(await directory(), 'access.log')
    const flags = ['--log-format', 'combined', '--access-log', path]
    const server = await start(flags)
    const connection = await connect(server)
    const forged = 'Agent" 200\\ \tx'
    connection.write(
      `GET /"a HTTP/1.1\r\nHost: x\r\nUser-Agent: ${forged}\r\nReferer: https://u:p@example.org/b?c=d\r\n\r\n`,
    )
    expect((await connection.ack()).status).toBe(404)
    expect(await server.stop()).toBe(0)
    const line = await readFile(path, 'utf8')
    expect(line).toMatch(
      /^[^"]+"GET \/\\"a HTTP\/1\.1" 404 9 "https:\/\/example\.org\/b\?c=\*{3}" "Agent\\" 200\\\\ \\tx"\n$/,
    )
    expect(server.stdout).toBe('')
    const next = await start(flags)
    await fetch(next.origin)
    expect(await next.stop()).toBe(0)
    expect((await readFile(path, 'utf8')).startsWith(line)).toBe(true)
  })

  test('has a numeric status for a request whose client disconnected before the response, as log readers expect', async () => {
    const server = await start([])
    const connection = await connect(server)
    const id = await openSession(connection, '/a.bin')
    connection.write(fragment('/a.bin', id, Buffer.alloc(1000)).subarray(0, -500))
    await new Promise((resolve) => setTimeout(resolve, 100))
    connection.reset()
    await server.until('stdout', /\n.*\n/)
    expect(server.stdout.split('\n')[1]).toMatch(/"BITS_POST \/a\.bin HTTP\/1\.1" 499 -$/)
  })

  test('costs next to nothing for a URL full of escaped separators', async () => {
    const server = await start([])
    for (const part of ['%2f', '%252f', '%5c', '/']) {
      await ask(server, `/BITS-Sessions${part.repeat(Math.floor(15_000 / part.length))}`)
    }
    // The log runs after the response: a server that hangs in it would never send another one.
    expect((await ask(server, '/still-there')).status).toBe(404)
    await server.until('stdout', /still-there/)
  })

  test('has no control characters or bidi marks from a client', async () => {
    const server = await start(['--log-format', 'combined'])
    const connection = await connect(server)
    const agent = Buffer.from('a\u009b2Jb\u0085c', 'latin1')
    const head = `GET /a HTTP/1.1\r\nHost: x\r\nReferer: /\xe2\x80\xae\r\nUser-Agent: `
    connection.write(Buffer.concat([Buffer.from(head, 'latin1'), agent, Buffer.from('\r\n\r\n')]))
    expect((await connection.ack()).status).toBe(404)
    await server.until('stdout', /\n/)
    expect(server.stdout).toMatch(/ "[^"]*" "a\\u009b2Jb\\u0085c"\n$/)
    expect(server.stdout.trimEnd()).not.toMatch(/[\p{Cc}\p{Bidi_Control}]/u)
  })

  test('is reopened at SIGHUP after it was moved away', async () => {
    const path = join(await directory(), 'access.log')
    const server = await start(['--access-log', path])
    await fetch(`${server.origin}/one`)
    await rename(path, `${path}.1`)
    process.kill(server.pid, 'SIGHUP')
    while (!(await readFile(path, 'utf8').catch(() => '')).includes('/two')) {
      await fetch(`${server.origin}/two`)
    }
    expect(await server.stop()).toBe(0)
    expect(await readFile(`${path}.1`, 'utf8')).toContain('/one')
  })

  test('can be turned off', async () => {
    const server = await start(['--log-format', 'none'])
    await fetch(server.origin)
    expect(await server.stop()).toBe(0)
    expect(server.stdout).toBe('')
  })

  test('stops the start if it cannot be written', async () => {
    const command = new Command(['serve', await directory(), '--port', '0', '--access-log', '/no/such/log'])
    expect(await command.exit).toBe(1)
    expect(command.stderr).toMatch(/^error: --access-log: ENOENT: .*\n$/)
  })

  test.each([
    ['/a/b?c=d&e&f=g=h?i', '/a/b?c=***&***&f=***'],
    ['/a?', '/a?***'],
    ['/in/BITS-Sessions/Replies/{9F1B}/responsefile.bin', '/in/BITS-Sessions/Replies/***/responsefile.bin'],
    ['/in/bits-sessions\\replies\\%7b9F1B%7d\\x', '/in/bits-sessions\\replies\\***\\x'],
    ['/in/BITS-Sessions%5cReplies%5C%7b9F1B%7d%5Cx', '/in/BITS-Sessions%5cReplies%5C***%5Cx'],
    ['/%42ITS-Sessions%2FReplies//9F1B/x', '/%42ITS-Sessions%2FReplies//***/x'],
    [
      '/BITS%252dSessions%255CReplies%255C%257B9F1B%257D%255Cx',
      '/BITS%252dSessions%255CReplies%255C***%255Cx',
    ],
    ['/BITS-Sessions/Replies/9F1B/%zz', '/BITS-Sessions/Replies/***/%zz'],
    ['/pcs/6B1F1D32-9A0C-4B55-8E0B-0123456789AB.xml', '/pcs/6B1F1D32-9A0C-4B55-8E0B-0123456789AB.xml'],
    ['http://user:password@host/a', 'http://host/a'],
  ])('shows %s as %s', (url, shown) => {
    expect(maskLoggedUrl(url)).toBe(shown)
  })

  test('never has the session id of a request for a reply, whichever characters are escaped', () => {
    const form = fc.constantFrom('raw', 'lower', 'upper')
    const path = '/in/BITS-Sessions\\Replies/{6B1F1D32-9A0C-4B55-8E0B-0123456789AB}/responsefile.bin'
    const forms = fc.array(form, { minLength: path.length, maxLength: path.length })
    fc.assert(
      fc.property(forms, fc.boolean(), (chosen, isUpper) => {
        const url = [...(isUpper ? path.toUpperCase() : path)]
          .map((character, n) => escaped(character, chosen[n] ?? 'raw'))
          .join('')
        expect(reservedPathOf(url)?.sessionId).toMatch(/6B1F1D32/)
        expect(decodeURIComponent(maskLoggedUrl(url))).not.toMatch(/6B1F1D32|9A0C|0123456789AB/)
      }),
    )
  })

  test('has no session id after a reply was fetched', async () => {
    const application = await Application.start(ok({}, 'a reply'))
    afterwards(() => application.stop())
    const server = await start(['--notify-url', application.url, '--notify-type', 'by-value'])
    const connection = await connect(server)
    const { id } = await upload(connection, '/in/a.bin', Buffer.from('hello'))
    const guid = id.slice(1, -1)
    const paths = [
      `/in/BITS-Sessions/Replies/%7B${guid}%7D/responsefile.bin`,
      `/in/BITS-Sessions%5CReplies%5C%7B${guid}%7D%5Cresponsefile.bin`,
      `/in/BITS-Sessions%2FReplies%2F${guid}%2Fresponsefile.bin`,
      `/%42ITS-Sessions/Replies/${guid}/responsefile.bin`,
    ]
    for (const path of paths) {
      expect([path, (await ask(server, path)).body.toString()]).toEqual([path, 'a reply'])
    }
    expect(await server.stop()).toBe(0)
    expect(server.stdout.match(/"GET .* 200 7$/gm)).toHaveLength(paths.length)
    expect(server.stdout).not.toContain(guid)
  })
})

/** A character either percent-encoded or unchanged. */
function escaped(character: string, form: string): string {
  if (form === 'raw') return character
  const code = `%${character.charCodeAt(0).toString(16).padStart(2, '0')}`
  return form === 'lower' ? code : code.toUpperCase()
}
