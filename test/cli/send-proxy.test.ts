import { afterEach, beforeEach, describe, expect, test } from '@jest/globals'
import { proxyFor } from '../../lib/cli/send/proxy.js'

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
