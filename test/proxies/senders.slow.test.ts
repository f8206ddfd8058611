import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, jest, test } from '@jest/globals'
import { Agent } from 'undici'
import { block } from '../docs/blocks.js'
import { table } from '../docs/tables.js'
import { curl, fetchPacket, isOnPath, python, type Send, undici } from '../senders/senders.js'
import { uploadThroughFaults } from '../senders/upload-through-faults.js'
import { Authority } from '../support/certificates.js'
import { CuttingProxy } from '../support/cutting-proxy.js'
import { describeWithEngine } from '../support/engines.js'
import { fixtures } from '../support/fixtures.js'
import { PROTOCOL } from '../support/raw.js'
import type { Running } from '../support/serve.js'
import { contentOf } from '../support/upload-fixture.js'
import { isInstalled, type ProxyName, startProxy } from './proxy.js'

const { start, directory, afterwards } = fixtures()
jest.setTimeout(120_000)

const KiB = 1024
const MiB = 1024 * KiB
const FILE = contentOf(20 * MiB)
const PATH = '/uploads/images/disk.img'
/**
 * Where the first connections between client and proxy are cut: within a fragment, however many of them share a
 * connection.
 */
const CUTS = [3 * MiB, 3 * MiB, 3 * MiB]
const SMALL_CUTS = [500 * KiB, 500 * KiB, 500 * KiB]

interface Behind {
  readonly proxy: ProxyName
  readonly snippet: string
  /** With TLS. */
  readonly authority?: Authority
  /** Default: {@link CUTS}. */
  readonly cuts?: readonly number[]
}

interface Front {
  readonly port: number
  readonly running: Running
  /** The values of `req.secure`. */
  readonly secure: Set<boolean>
  upload(send: Send, fragmentSize: number): Promise<void>
}

/** A server behind a proxy, reached over a connection that breaks. */
async function serveBehind({ proxy, snippet, authority, cuts = CUTS }: Behind): Promise<Front> {
  const root = await directory()
  const secure = new Set<boolean>()
  const running = await start(
    { directory: root },
    {
      before: (app) => {
        app.set('trust proxy', 'loopback')
        app.use((req, _res, next) => {
          secure.add(req.secure)
          next()
        })
      },
    },
  )
  const certificate = await authority?.issue('server')
  const front = await startProxy(proxy, snippet, running.port, certificate)
  afterwards(() => front.stop())
  const cutting = await CuttingProxy.start(front.port, cuts)
  afterwards(() => cutting.stop())
  const upload = async (send: Send, fragmentSize: number) => {
    const drops = await uploadThroughFaults({
      send,
      port: cutting.port,
      path: PATH,
      file: FILE,
      fragmentSize,
    })
    expect(drops).toBe(cutting.cuts)
    expect(drops).toBeGreaterThan(0)
    const published = await readFile(join(root, 'images/disk.img'))
    expect(published.equals(FILE)).toBe(true)
    expect(running.logger.lines.filter((line) => line.startsWith('error'))).toEqual([])
  }
  return { port: front.port, running, secure, upload }
}

const PLAIN_NGINX = 'server {\n  listen 80;\n  location / {\n    proxy_pass http://127.0.0.1:3000;\n  }\n}\n'

const isReady = (proxy: ProxyName) => () => isInstalled(proxy) && isOnPath('curl') && isOnPath('python3')

describeWithEngine('nginx with nothing but proxy_pass', isReady('nginx'), () => {
  test('passes uploads over HTTP/1.0, with one warning in the log', async () => {
    const { running, upload } = await serveBehind({ proxy: 'nginx', snippet: PLAIN_NGINX, cuts: SMALL_CUTS })
    await upload(fetchPacket, 900 * KiB)
    const warnings = running.logger.lines.filter((line) => line.includes('HTTP/1.0'))
    expect(warnings).toEqual([expect.stringMatching(/^warn: .*proxy_http_version 1\.1/)])
  })

  test('answers 413 to fragments above 1 MB, without an Ack and before Node sees them', async () => {
    const { port, running } = await serveBehind({ proxy: 'nginx', snippet: PLAIN_NGINX })
    const create = { 'BITS-Packet-Type': 'Create-Session', 'BITS-Supported-Protocols': PROTOCOL }
    const created = await fetchPacket({ port, path: PATH, headers: create })
    const session = created.header('BITS-Session-Id') ?? ''
    const range = `bytes 0-${2 * MiB - 1}/${FILE.length}`
    const headers = { 'BITS-Packet-Type': 'Fragment', 'BITS-Session-Id': session, 'Content-Range': range }
    const refused = await fetchPacket({ port, path: PATH, headers, body: FILE.subarray(0, 2 * MiB) })
    expect([refused.status, refused.header('BITS-Packet-Type')]).toEqual([413, undefined])
    expect((await running.bits.sessions()).map(({ received }) => received)).toEqual([0])
  })
})

describeWithEngine('Caddy with nothing but reverse_proxy', isReady('caddy'), () => {
  test('passes uploads from a client that sends no Content-Length without a body', async () => {
    const { upload } = await serveBehind({ proxy: 'caddy', snippet: block('caddyfile').text })
    await upload(curl(await directory(), [], { length: false }), 4 * MiB)
  })
})

describeWithEngine('Varnish without any configuration', isReady('varnish'), () => {
  test('passes uploads', async () => {
    const { upload } = await serveBehind({ proxy: 'varnish', snippet: '' })
    const agent = new Agent()
    afterwards(() => agent.destroy())
    await upload(undici(agent), 4 * MiB)
  })
})

describeWithEngine('HAProxy', isReady('haproxy'), () => {
  test('passes uploads from Python', async () => {
    const { upload } = await serveBehind({ proxy: 'haproxy', snippet: block('haproxy').text })
    await upload(python(await directory()), 10 * MiB)
  })
})

const DOCUMENTED: Readonly<Record<string, { proxy: ProxyName; snippet: string }>> = {
  nginx: { proxy: 'nginx', snippet: block('nginx', { containing: 'keepalive' }).text },
  HAProxy: { proxy: 'haproxy', snippet: block('haproxy').text },
  Apache: { proxy: 'apache', snippet: block('apache', { in: 'docs/deployment.md#Apache' }).text },
  Caddy: { proxy: 'caddy', snippet: block('caddyfile').text },
}

/** The codes in a table cell, one per line. */
const linesOf = (cell: string): string => {
  const codes = [...cell.matchAll(/`([^`]*)`/g)].map(([, code]) => code)
  return codes.length === 0 ? cell : codes.join('\n')
}

for (const [name = '', old = '', replacement = ''] of table('Proxy with TLS')) {
  const documented = DOCUMENTED[name]
  if (!documented) throw new Error(`There is no configuration of ${name}.`)
  const { proxy, snippet } = documented
  describeWithEngine(`${name} with TLS and HTTP/2`, isReady(proxy), () => {
    test('passes uploads that arrive over HTTP/2', async () => {
      expect(snippet).toContain(old)
      const authority = await Authority.create(await directory())
      const { secure, upload } = await serveBehind({
        proxy,
        snippet: snippet.replace(old, linesOf(replacement)),
        authority,
      })
      const trust = ['--http2', '--cacert', authority.own.certFile]
      await upload(curl(await directory(), trust, { length: false, secure: true }), 4 * MiB)
      expect(secure).toEqual(new Set([true]))
    })
  })
}
