import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, test } from '@jest/globals'
import { maskUrl } from '../../lib/cli/serve/access-log.js'
import { fixtures } from '../support/fixtures.js'
import { Command, Server } from './command.js'

const { directory, connect, afterwards } = fixtures()

async function start(flags: readonly string[]): Promise<Server> {
  const server = await Server.start(await directory(), flags)
  afterwards(() => server.kill('SIGKILL'))
  return server
}

describe('the access log', () => {
  test('has a line in the Common Log Format for each request, on the standard output', async () => {
    const server = await start([])
    await fetch(`${server.origin}/a?token=secret`, { headers: { authorization: 'Basic YWxpY2U6c2VjcmV0' } })
    await server.until('stdout', /\n/)
    expect(server.stdout).toMatch(
      /^127\.0\.0\.1 - - \[\d\d\/[A-Z][a-z]{2}\/\d{4}(?::\d\d){3} \+0000\] "GET \/a\?token=\*{3} HTTP\/1\.1" 404 9\n$/,
    )
  })

  test('is combined with referrer and program, goes to a file, and cannot be forged', async () => {
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

  test('can be done without', async () => {
    const server = await start(['--log-format', 'none'])
    await fetch(server.origin)
    expect(await server.stop()).toBe(0)
    expect(server.stdout).toBe('')
  })

  test('is asked for in vain where it cannot be written', async () => {
    const command = new Command(['serve', await directory(), '--port', '0', '--access-log', '/no/such/log'])
    expect(await command.exit).toBe(1)
    expect(command.stderr).toMatch(/^error: --access-log: ENOENT: .*\n$/)
  })

  test.each([
    ['/a/b?c=d&e&f=g=h?i', '/a/b?c=***&***&f=***'],
    ['/a?', '/a?***'],
    ['/in/BITS-Sessions/Replies/{9F1B}/responsefile.bin', '/in/BITS-Sessions/Replies/***/responsefile.bin'],
    ['/in/bits-sessions\\replies\\%7b9F1B%7d\\x', '/in/bits-sessions\\replies\\***\\x'],
    ['http://user:password@host/a', 'http://host/a'],
  ])('shows %s as %s', (url, shown) => {
    expect(maskUrl(url)).toBe(shown)
  })
})
