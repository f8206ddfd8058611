import { expect, test } from '@jest/globals'
import { MemoryStorage } from 'express-bits-upload'
import { type Block, block } from '../docs/blocks.js'
import { describeWithEngine } from '../support/engines.js'
import { closeSession, createSession, fragment, packet, type RawAck, RawConnection } from '../support/raw.js'
import { serve } from '../support/serve.js'
import { contentOf } from '../support/upload-fixture.js'
import { isInstalled, type ProxyName, startProxy } from './proxy.js'

const MiB = 1024 * 1024
const PATH = '/uploads/reports/big.bin'
const FILE = contentOf(20 * MiB)
/** Method, client address, X-Forwarded-For and X-Forwarded-Proto, as the application receives them. */
const PASSED = 'BITS_POST 127.0.0.1 127.0.0.1 http'
const TURNED = 'POST 127.0.0.1 127.0.0.1 http'
const CASES: readonly { name: string; proxy: ProxyName; snippet: Block; seenAs: string }[] = [
  { name: 'nginx', proxy: 'nginx', snippet: block('nginx', { containing: 'keepalive' }), seenAs: PASSED },
  { name: 'HAProxy', proxy: 'haproxy', snippet: block('haproxy'), seenAs: PASSED },
  {
    name: 'Apache',
    proxy: 'apache',
    snippet: block('apache', { in: 'docs/deployment.md#Apache' }),
    seenAs: PASSED,
  },
  { name: 'Caddy', proxy: 'caddy', snippet: block('caddyfile'), seenAs: PASSED },
  {
    name: 'nginx that makes POST of BITS_POST',
    proxy: 'nginx',
    snippet: block('nginx', { containing: 'proxy_method' }),
    seenAs: TURNED,
  },
]

/** Uses one connection for as long as the Acks allow. */
class Client {
  #connection: RawConnection
  readonly #port: number

  private constructor(port: number, connection: RawConnection) {
    this.#port = port
    this.#connection = connection
  }

  static async connect(port: number): Promise<Client> {
    return new Client(port, await RawConnection.open(port))
  }

  async say(bytes: Buffer): Promise<RawAck> {
    this.#connection.write(bytes)
    const ack = await this.#connection.ack()
    // Apache closes the connection after every 400, 413 and 500.
    if (ack.header('Connection') === 'close') this.#connection = await RawConnection.open(this.#port)
    return ack
  }

  reset(): void {
    this.#connection.reset()
  }
}

const testProxy = ({ proxy, snippet, seenAs }: (typeof CASES)[number]) => {
  const behind = async (use: (client: Client, storage: MemoryStorage, seen: string[]) => Promise<void>) => {
    const storage = new MemoryStorage()
    const seen: string[] = []
    const server = await serve(
      { storage, acceptPost: seenAs.startsWith('POST'), maxFragmentSize: 4 * MiB },
      {
        before: (app) => {
          app.set('trust proxy', 'loopback')
          app.use((req, _res, next) => {
            seen.push(
              [req.method, req.ip, req.get('x-forwarded-for'), req.get('x-forwarded-proto')].join(' '),
            )
            next()
          })
        },
      },
    )
    try {
      const running = await startProxy(proxy, snippet.text, server.port)
      const client = await Client.connect(running.port)
      try {
        await use(client, storage, seen)
      } finally {
        client.reset()
        await running.stop()
      }
    } finally {
      await server.stop()
    }
  }
  test('passes an upload of 20 MiB on one connection, overlap, gap and errors included', async () => {
    await behind(async (client, storage, seen) => {
      const host = { Host: 'files.example.com' }
      expect((await client.say(packet('Ping', PATH, host))).status).toBe(200)
      const id = (await client.say(createSession(PATH))).header('BITS-Session-Id') ?? ''
      const send = async (first: number, last: number) => {
        const ack = await client.say(fragment(PATH, id, FILE, first, last))
        expect(ack.header('BITS-Packet-Type')).toBe('Ack')
        return [ack.status, ack.header('BITS-Received-Content-Range')]
      }
      expect(await send(0, 4 * MiB - 1)).toEqual([200, `${4 * MiB}`])
      expect(await send(6 * MiB, 10 * MiB - 1)).toEqual([416, `${4 * MiB}`])
      expect(await send(3 * MiB, 7 * MiB - 1)).toEqual([200, `${7 * MiB}`])

      const unknown = '{00000000-0000-0000-0000-000000000000}'
      const refused = await client.say(fragment(PATH, unknown, FILE, 0, MiB - 1))
      expect(refused.status).toBe(500)
      expect(refused.header('BITS-Error-Code')).toBe('0x8020001F')
      expect(refused.header('BITS-Error')).toBe('0x8020001F')
      expect(refused.header('BITS-Error-Context')).toBe('0x5')
      expect(refused.body).toHaveLength(0)

      for (let first = 7 * MiB; first < FILE.length; first += 4 * MiB) {
        const last = Math.min(first + 4 * MiB, FILE.length) - 1
        expect(await send(first, last)).toEqual([200, `${last + 1}`])
      }
      expect((await client.say(closeSession(PATH, id))).status).toBe(200)
      expect(storage.files.get('reports/big.bin')?.equals(FILE)).toBe(true)
      expect(new Set(seen)).toEqual(new Set([seenAs]))
    })
  })

  test('passes the 413 that makes a client send smaller fragments', async () => {
    await behind(async (client) => {
      const id = (await client.say(createSession(PATH))).header('BITS-Session-Id') ?? ''
      const refused = await client.say(fragment(PATH, id, FILE, 0, 5 * MiB - 1))
      expect(refused.status).toBe(413)
      expect(refused.header('BITS-Packet-Type')).toBe('Ack')
      expect(refused.header('BITS-Received-Content-Range')).toBe('0')
    })
  })
}

for (const proxied of CASES) {
  const { name, proxy } = proxied
  describeWithEngine(
    `the documented configuration of ${name}`,
    () => isInstalled(proxy),
    () => testProxy(proxied),
  )
}
