import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, test } from '@jest/globals'
import { Authority } from '../support/certificates.js'
import { fixtures } from '../support/fixtures.js'
import { ForwardProxy } from '../support/forward-proxy.js'
import { freePort } from '../support/ports.js'
import { Command } from './command.js'

const { start, startTls, directory, afterwards } = fixtures()

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
    const rejecting = send([`https://127.0.0.1:${port}/uploads/b.bin`], env)
    expect([await trusting.exit, await rejecting.exit]).toEqual([0, 3])
    expect(new Set(proxy.asked)).toEqual(new Set([`CONNECT 127.0.0.1:${port}`]))
    expect(await readFile(join(folder, 'a.bin'), 'utf8')).toBe('content')
    expect(rejecting.stderr).toContain(
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
    const rejecting = send([`${origin}/uploads/b.bin`], env)
    expect([await trusting.exit, await rejecting.exit]).toEqual([0, 3])
    expect(await readFile(join(folder, 'a.bin'), 'utf8')).toBe('content')
    expect(rejecting.stderr).toMatch(
      /its authority with --ca\. It went through the proxy https:\/\/127\.0\.0\.1:\d+, from http_proxy in the environment\.\n$/,
    )
  })
})
