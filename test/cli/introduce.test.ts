import { hostname } from 'node:os'
import { describe, expect, jest, test } from '@jest/globals'
import { printGreeting } from '../../lib/cli/serve/greeting.js'
import { fixtures } from '../support/fixtures.js'
import { Command } from './command.js'

const { directory, afterwards } = fixtures()

/** The greeting of `serve`. */
function said(
  origin: string,
  flags: { host: string; path?: string; live?: true; htpasswd?: string },
  machine: string,
): string {
  let text = ''
  const write = jest.spyOn(process.stderr, 'write').mockImplementation((line) => {
    text += String(line)
    return true
  })
  const stores = { location: '/srv/in', forgetsSessions: false }
  printGreeting(origin, [{ flags: { path: '/', ...flags }, stores }], flags, machine)
  write.mockRestore()
  return text
}

describe('the line for Windows', () => {
  test.each([
    ['0.0.0.0', 'http://0.0.0.0:8080'],
    ['::', 'http://[::]:8080'],
    ['0:0:0:0:0:0:0:0', 'http://[0:0:0:0:0:0:0:0]:8080'],
    ['0', 'http://0:8080'],
    ['', 'http://:8080'],
  ])('names this machine when serve listens at %p, which Windows cannot reach', (host, origin) => {
    const text = said(origin, { host, path: '/in', live: true }, 'files-1.example.com')
    expect(text).toContain(`Uploads to ${origin}/in/ go to /srv/in\n`)
    expect(text).toContain('-Destination http://files-1.example.com:8080/in/a.zip\n')
    expect(text).toContain('Watch them at http://files-1.example.com:8080/live/\n')
    expect(text).not.toContain('SERVER')
  })

  test.each(['localhost', 'localhost.localdomain', '3f2a9c1b0d4e', '', 'a b'])(
    'asks for a name if the machine calls itself %p, which no other machine can resolve',
    (machine) => {
      const text = said('https://0.0.0.0:443', { host: '0.0.0.0' }, machine)
      expect(text).toContain('-Destination https://SERVER:443/a.zip\n')
      expect(text).toContain(
        'Replace SERVER with the name or address at which other machines reach this one.',
      )
    },
  )

  test.each([
    ['127.0.0.1', 'http://127.0.0.1:8080'],
    ['10.0.0.1', 'http://10.0.0.1:8080'],
    ['::1', 'http://[::1]:8080'],
    ['files.example.com', 'http://files.example.com:8080'],
  ])('has the address itself when that is %s', (host, origin) => {
    const text = said(origin, { host }, 'localhost')
    expect(text).toContain(`-Destination ${origin}/a.zip\n`)
    expect(text).not.toContain('SERVER')
  })

  test('asks for the password if the server does', () => {
    const text = said('http://127.0.0.1:8080', { host: '127.0.0.1', htpasswd: 'users' }, 'a')
    expect(text).toMatch(/-Destination http:\S+ -Authentication Basic -Credential \(Get-Credential\)\n/)
    expect(said('http://127.0.0.1:8080', { host: '127.0.0.1' }, 'a')).not.toContain('-Credential')
  })

  test('is also printed by serve --host 0.0.0.0', async () => {
    const server = new Command(['serve', await directory(), '--port', '0', '--host', '0.0.0.0'])
    afterwards(() => server.kill('SIGKILL'))
    const [, port] = await server.until('stderr', /^Uploads to http:\/\/0\.0\.0\.0:(\d+)\/ go to /m)
    const [, host] = await server.until('stderr', /-Destination http:\/\/(.+):\d+\/a\.zip$/m)
    expect([hostname(), 'SERVER']).toContain(host)
    expect((await fetch(`http://127.0.0.1:${port}/`)).status).toBe(200)
  })
})
