import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals'
import { proxyFor } from '../../lib/cli/send/proxy.js'
import { Authority } from '../support/certificates.js'
import { fixtures } from '../support/fixtures.js'
import { ForwardProxy } from '../support/forward-proxy.js'
import { freePort } from '../support/ports.js'
import { Command } from './command.js'

const { start, startTls, directory, afterwards } = fixtures()
const NAMES = ['http_proxy', 'https_proxy', 'all_proxy', 'no_proxy']

describe('the proxy in the environment', () => {
  const before = { ...process.env }
  beforeEach(() => {
    for (const name of NAMES) {
      delete process.env[name]
      delete process.env[name.toUpperCase()]
    }
  })
  afterEach(() => {
    for (const name of NAMES.flatMap((each) => [each, each.toUpperCase()])) {
      const value = before[name]
      if (value === undefined) delete process.env[name]
      else process.env[name] = value
    }
  })

  const proxies = { https_proxy: 'http://secure:1', HTTP_PROXY: 'http://plain:2' }
  test.each<[Record<string, string>, string, string | undefined]>([
    [{}, 'https://a/', undefined],
    [proxies, 'https://a/', 'http://secure:1'],
    [proxies, 'http://a/', 'http://plain:2'],
    [{ ALL_PROXY: 'https://any' }, 'https://a/', 'https://any'],
    [{ https_proxy: 'proxy:3128' }, 'https://a/', 'http://proxy:3128'],
    [{ https_proxy: 'http://user:secret@proxy:3128' }, 'https://a/', 'http://proxy:3128'],
    [{ ...proxies, no_proxy: '*' }, 'https://a/', undefined],
    [{ ...proxies, no_proxy: 'b.c, localhost' }, 'https://b.c/', undefined],
    [{ ...proxies, NO_PROXY: 'b.c' }, 'https://a.b.c:8443/', undefined],
    [{ ...proxies, no_proxy: '.b.c' }, 'https://a.b.c/', undefined],
    [{ ...proxies, no_proxy: 'b.c' }, 'https://ab.c/', 'http://secure:1'],
    [{ ...proxies, no_proxy: '10.0.0.0/8' }, 'https://10.1.2.3/', undefined],
    [{ ...proxies, no_proxy: '10.0.0.0/8' }, 'https://11.1.2.3/', 'http://secure:1'],
    [{ ...proxies, no_proxy: '127.0.0.1' }, 'http://127.0.0.1:8080/', undefined],
    [{ ...proxies, no_proxy: 'fd00::/8,10.0.0.0/99' }, 'https://[fd00::1]/', undefined],
    [{ ...proxies, no_proxy: '10.0.0.0/99' }, 'https://10.0.0.0/', 'http://secure:1'],
  ])('%j: %s goes through %s', async (env, url, expected) => {
    Object.assign(process.env, env)
    expect((await proxyFor(new URL(url)))?.origin).toBe(expected)
  })

  test.each(['socks5://h:1', 'http://[', 'ftp://h'])('%s is refused, and not shown', async (proxy) => {
    process.env.https_proxy = proxy
    await expect(proxyFor(new URL('https://a/'))).rejects.toThrow(
      'https_proxy in the environment is not the URL of an HTTP proxy, such as http://proxy:3128.',
    )
  })
})

describe('send through a proxy', () => {
  async function workplace() {
    const folder = await directory()
    const proxy = await ForwardProxy.start()
    afterwards(() => proxy.stop())
    const file = join(await directory(), 'a.bin')
    await writeFile(file, 'content')
    const cache = await directory()
    const send = (words: readonly string[], env: Record<string, string>) => {
      const command = new Command(['send', file, ...words], { env: { XDG_CACHE_HOME: cache, ...env } })
      afterwards(() => command.kill('SIGKILL'))
      return command
    }
    return { folder, proxy, send }
  }

  test('http: with absolute URLs and the credentials for the proxy', async () => {
    const { folder, proxy, send } = await workplace()
    proxy.authorization = `Basic ${btoa('p:secret')}`
    const { origin } = await start({ directory: folder })
    const known = send([`${origin}/uploads/`], { http_proxy: `http://p:secret@127.0.0.1:${proxy.port}` })
    const stranger = send([`${origin}/uploads/b.bin`], { http_proxy: `http://127.0.0.1:${proxy.port}` })
    expect([await known.exit, await stranger.exit]).toEqual([0, 3])
    expect(proxy.asked).toContain(`BITS_POST ${origin}/uploads/a.bin`)
    expect(await readFile(join(folder, 'a.bin'), 'utf8')).toBe('content')
    expect(known.stderr).toContain(
      `Using the proxy http://127.0.0.1:${proxy.port}, from http_proxy in the environment.\n`,
    )
    expect(known.stderr).not.toContain('secret')
    expect(stranger.stderr).toMatch(
      /The proxy asks for other credentials: pass them in the URL of the proxy, http:\/\/user:password@proxy:3128\. It went/,
    )
  })

  test("https: with CONNECT, and the server's certificate", async () => {
    const { folder, proxy, send } = await workplace()
    const authority = await Authority.create(await directory())
    const { key, cert } = await authority.issue('server')
    const port = await startTls({ key, cert }, folder)
    const env = { HTTPS_PROXY: `127.0.0.1:${proxy.port}` }
    const trusting = send([`https://127.0.0.1:${port}/uploads/`, '--ca', authority.own.certFile], env)
    const wary = send([`https://127.0.0.1:${port}/uploads/b.bin`], env)
    expect([await trusting.exit, await wary.exit]).toEqual([0, 3])
    expect(new Set(proxy.asked)).toEqual(new Set([`CONNECT 127.0.0.1:${port}`]))
    expect(await readFile(join(folder, 'a.bin'), 'utf8')).toBe('content')
    expect(wary.stderr).toContain(
      'pass the certificate of its authority with --ca. It went through the proxy http://127.0.0.1:',
    )
  })

  test.each([
    ['http', 'HTTP_PROXY'],
    ['https', 'all_proxy'],
  ])('%s: one that is down is named, with the variable %s and what to do', async (scheme, variable) => {
    const { send } = await workplace()
    const down = `127.0.0.1:${await freePort()}`
    const command = send([`${scheme}://server.test/uploads/`, '--retries', '1'], {
      [variable]: `http://p:secret@${down}`,
    })
    expect(await command.exit).toBe(4)
    const sentence =
      `No response to Create-Session from server.test: the proxy http://${down}, from ${variable} in the environment, ` +
      `does not answer (connect ECONNREFUSED ${down}): start it, correct ${variable}, or add server.test to no_proxy.`
    expect(command.stderr).toContain(`${sentence} Trying again in`)
    expect(command.stderr).toContain(`error: ${sentence} Gave up. Run the same command again to continue.\n`)
    expect(command.stderr).not.toContain('secret')
  })

  test('one that answers for a server that it cannot reach is named', async () => {
    const { proxy, send } = await workplace()
    const command = send([`http://127.0.0.1:${await freePort()}/`, '--retries', '0'], {
      http_proxy: `http://127.0.0.1:${proxy.port}`,
    })
    expect(await command.exit).toBe(4)
    expect(command.stderr).toContain(
      ` It went through the proxy http://127.0.0.1:${proxy.port}, from http_proxy in the environment. Gave up.`,
    )
  })

  test('one with an https: URL is trusted with --ca, and named when it is not', async () => {
    const { folder, send } = await workplace()
    const authority = await Authority.create(await directory())
    const proxy = await ForwardProxy.start(await authority.issue('proxy'))
    afterwards(() => proxy.stop())
    const { origin } = await start({ directory: folder })
    const env = { http_proxy: `https://127.0.0.1:${proxy.port}` }
    const trusting = send([`${origin}/uploads/`, '--ca', authority.own.certFile], env)
    const wary = send([`${origin}/uploads/b.bin`], env)
    expect([await trusting.exit, await wary.exit]).toEqual([0, 3])
    expect(await readFile(join(folder, 'a.bin'), 'utf8')).toBe('content')
    expect(wary.stderr).toMatch(
      /its authority with --ca\. It went through the proxy https:\/\/127\.0\.0\.1:\d+, from http_proxy in the environment\.\n$/,
    )
  })
})
