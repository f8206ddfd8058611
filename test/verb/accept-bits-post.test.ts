import { execFile, fork } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import http, { type RequestListener } from 'node:http'
import https from 'node:https'
import { createRequire } from 'node:module'
import type { Server as NetServer, Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { afterEach, describe, expect, it } from '@jest/globals'
import express from 'express'
import request from 'supertest'
import { WebSocket, WebSocketServer } from 'ws'
import { acceptBitsPost, acceptBitsPostEverywhere } from '../../lib/verb/accept-bits-post.js'
import { assertBindIsKnown } from '../../lib/verb/known-verb.js'
import { bundleScript } from '../support/bundle-script.js'
import { everyByte, exchange, readBody, recordingServer, turns } from '../support/piecewise-socket.js'
import { RawConnection } from '../support/raw.js'

const express4: typeof express = createRequire(import.meta.url)('express4')

const HEAD = 'BITS_POST /uploads/a.bin HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n'
const PING = `${HEAD}\r\n`

const echo: RequestListener = (req, res) => {
  readBody(req).then(
    (body) => res.end(`${req.method} ${req.url} ${body.toString('latin1')}`),
    () => res.destroy(),
  )
}

const closing: (() => unknown)[] = []
afterEach(async () => {
  for (const close of closing.splice(0)) await close()
})

async function listen(server: http.Server | https.Server): Promise<number> {
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  closing.push(() => {
    server.close()
    server.closeAllConnections()
  })
  return portOf(server)
}

function portOf(server: NetServer): number {
  const address = server.address()
  if (typeof address !== 'object' || address === null) throw new Error('The server does not listen.')
  return address.port
}

async function connection(port: number): Promise<RawConnection> {
  const raw = await RawConnection.open(port)
  closing.push(() => raw.socket.destroy())
  return raw
}

async function until(condition: () => boolean): Promise<void> {
  const deadline = Date.now() + 10_000
  while (!condition()) {
    if (Date.now() > deadline) throw new Error('The condition did not become true within 10 seconds.')
    await turns(1)
  }
}

async function answerTo(port: number, bytes: string): Promise<string> {
  const raw = await connection(port)
  raw.write(Buffer.from(bytes, 'latin1'))
  const { status, body } = await raw.ack()
  return `${status} ${body}`
}

describe('a patched server', () => {
  it('provides the verb and the body, even if they arrive one byte at a time', async () => {
    const server = http.createServer(echo)
    acceptBitsPost(server)
    const raw = await connection(await listen(server))
    const bytes = Buffer.from(
      'BITS_POST /x HTTP/1.1\r\nHost: a\r\nContent-Length: 15\r\n\r\nBITS_POST BITS_P',
    )
    for (const byte of everyByte(bytes.subarray(0, -1))) {
      raw.write(byte)
      await turns(1)
    }
    expect((await raw.ack()).body.toString()).toBe('BITS_POST /x BITS_POST BITS_')
  })

  it('keeps a connection for any mixture of requests', async () => {
    const server = http.createServer(echo)
    acceptBitsPost(server)
    const raw = await connection(await listen(server))
    const chunked =
      'POST /c HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\na\r\nBITS_POST \r\n0\r\n\r\n'
    raw.write(
      `${PING}GET /g HTTP/1.1\r\nHost: a\r\n\r\n${PING}${chunked}${PING}BIND /b HTTP/1.1\r\nHost: a\r\n\r\n`,
    )
    const bodies: string[] = []
    for (let i = 0; i < 6; i++) bodies.push((await raw.ack()).body.toString())
    const bits = 'BITS_POST /uploads/a.bin '
    expect(bodies).toEqual([bits, 'GET /g ', bits, 'POST /c BITS_POST ', bits, 'BIND /b '])
  })

  it('is changed by the first call only', () => {
    const server = http.createServer()
    const before = server.listenerCount('connection')
    acceptBitsPost(server)
    acceptBitsPost(server)
    expect(server.listenerCount('connection')).toBe(before + 1)
  })

  it('has the verb in checkContinue, checkExpectation and dropRequest', async () => {
    const server = http.createServer(echo)
    const seen: string[] = []
    server.on('checkContinue', (req, res) => {
      seen.push(`checkContinue ${req.method}`)
      res.writeContinue()
      echo(req, res)
    })
    server.on('checkExpectation', (req, res) => {
      seen.push(`checkExpectation ${req.method}`)
      res.writeHead(417, { 'Content-Length': 0 }).end()
    })
    server.on('dropRequest', (req) => seen.push(`dropRequest ${req.method}`))
    server.maxRequestsPerSocket = 3
    acceptBitsPost(server)
    const raw = await connection(await listen(server))
    raw.write('BITS_POST /x HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 4\r\n\r\n')
    expect((await raw.ack()).status).toBe(100)
    raw.write('BITS')
    expect((await raw.ack()).body.toString()).toBe('BITS_POST /x BITS')
    raw.write(`${HEAD}Expect: more\r\n\r\n${PING}${PING}`)
    expect([(await raw.ack()).status, (await raw.ack()).status, (await raw.ack()).status]).toEqual([
      417, 200, 503,
    ])
    expect(seen).toEqual(['checkContinue BITS_POST', 'checkExpectation BITS_POST', 'dropRequest BITS_POST'])
  })

  it('requests the body with 100 Continue, as for other verbs', async () => {
    const server = http.createServer(echo)
    acceptBitsPost(server)
    const raw = await connection(await listen(server))
    raw.write('BITS_POST /x HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 4\r\n\r\n')
    expect((await raw.ack()).status).toBe(100)
    raw.write('BITS')
    expect((await raw.ack()).body.toString()).toBe('BITS_POST /x BITS')
  })

  it('closes after Connection: close, and refuses what follows', async () => {
    const server = http.createServer(echo)
    acceptBitsPost(server)
    const raw = await connection(await listen(server))
    raw.write(`${HEAD}Connection: close\r\n\r\n`)
    expect((await raw.ack()).header('Connection')).toBe('close')
    await raw.closed()
  })

  it('answers a missing Host with 400, as for other verbs', async () => {
    const server = http.createServer(echo)
    acceptBitsPost(server)
    const port = await listen(server)
    expect(await answerTo(port, 'BITS_POST /x HTTP/1.1\r\n\r\n')).toBe('400 ')
    expect(await answerTo(port, 'BITS_POST /x HTTP/1.0\r\nContent-Length: 0\r\n\r\n')).toMatch(/^200 /)
  })

  it('still times out a request head that does not end', async () => {
    const server = http.createServer({ headersTimeout: 100, connectionsCheckingInterval: 20 }, echo)
    acceptBitsPost(server)
    const port = await listen(server)
    expect(await answerTo(port, 'BITS_P')).toBe('408 ')
    expect(await answerTo(port, 'BITS_POST /x HTTP/1.1\r\nHost:')).toBe('408 ')
  })

  it('still refuses a head that is too long', async () => {
    const server = http.createServer(echo)
    acceptBitsPost(server)
    expect(await answerTo(await listen(server), `${HEAD}X: ${'x'.repeat(20_000)}\r\n\r\n`)).toBe('431 ')
  })

  it('leaves no listener on a connection', async () => {
    const server = http.createServer(echo)
    acceptBitsPost(server)
    const sockets: Socket[] = []
    server.on('connection', (socket) => sockets.push(socket))
    const raw = await connection(await listen(server))
    for (let i = 0; i < 20; i++) {
      raw.write(i % 2 ? PING : 'GET / HTTP/1.1\r\nHost: a\r\n\r\n')
      await raw.ack()
    }
    expect(sockets.map((socket) => socket.listenerCount('data'))).toEqual([1])
  })

  it('applies backpressure to a flood of requests while the client reads no responses', async () => {
    const large = Buffer.alloc(10_000, 'x')
    let verbs = 0
    const server = http.createServer((req, res) => {
      if (req.method === 'BITS_POST') verbs++
      res.end(large)
    })
    acceptBitsPost(server)
    const raw = await connection(await listen(server))
    raw.socket.pause()
    raw.write(PING.repeat(3000))
    await new Promise((resolve) => setTimeout(resolve, 200))
    const meanwhile = verbs
    raw.socket.resume()
    for (let i = 0; i < 3000; i++) expect((await raw.ack()).body.length).toBe(large.length)
    expect(verbs).toBe(3000)
    expect(meanwhile).toBeLessThan(3000)
  })

  it('leaves a body alone whose Content-Length Node does not expose', async () => {
    const plain = recordingServer()
    const patched = recordingServer()
    acceptBitsPost(patched.server)
    const body = 'BITS_POST / HTTP/1.1\r\nHost: a\r\n\r\n'
    const note = 'X-Note: 1\r\n'.repeat(40)
    const head = `PUT / HTTP/1.1\r\nHost: a\r\n${note}Content-Length: ${body.length}\r\n\r\n`
    for (const pieces of [[Buffer.from(head + body)], [Buffer.from(head), Buffer.from(body)]]) {
      // The latest Node 22, 24 and 26 reject a head with more headers; Node 20 drops the excess ones.
      for (const { server } of [plain, patched]) server.maxHeadersCount = 2
      expect(await exchange(patched.server, pieces)).toBe(await exchange(plain.server, pieces))
    }
    expect(patched.received).toEqual(plain.received)
    expect(patched.received.every((each) => each.body.toString() === body)).toBe(true)
  })

  it('also restores the verb of a head that only a lenient parser accepts', async () => {
    const { server, received } = recordingServer({ insecureHTTPParser: true })
    acceptBitsPost(server)
    await exchange(server, [Buffer.from('BITS_POST /x HTTP/1.1\r\nHost: a\nX: y\n\n')])
    await exchange(server, [Buffer.from('BITS_POST /x HTTP/1.1\r\nHost: a\r\nX: \x01\r\n\r\n')])
    expect(received.map(({ method }) => method)).not.toContain('BIND')
    expect(received.map(({ method }) => method)).toContain('BITS_POST')
  })

  it('leaves bodies alone after a head or framing that only a lenient parser accepts', async () => {
    const lenient = { insecureHTTPParser: true }
    const put = (header: string) => `PUT / HTTP/1.1\r\nHost: a\r\n${header}\r\n\r\n`
    const innocent = put('Content-Length: 80') + 'BITS_POST '.repeat(8)
    const streams = [
      // In case CR CR is taken for the end of the head: something like its end, with as many lines, is in the body.
      `PUT / HTTP/1.1\rHost: a\rContent-Length: 12\r\ra\r\nb\r\nc\r\n\r\n${put('Content-Length: 10')}BITS_POST `,
      `PUT / HTTP/1.1\rHost: a\rContent-Length: 78\r\ra\r\nb\r\nc\r\n\r\n${'BITS_POST '.repeat(7)}${innocent}`,
      `${put('Transfer-Encoding: chunked\r\nContent-Length: 3')}a\r\nBITS_POST \r\n0\r\n\r\n`,
      `${put('Content-Length : 2')}xxBITS_POST ${innocent}`,
      `${put('Transfer-Encoding: chunked')}a \r\nBITS_POST \r\n0\r\n\r\n`,
      `${put('Transfer-Encoding: chunked')}a\nBITS_POST \n0\n\n${innocent}`,
    ]
    for (const text of streams) {
      const bytes = Buffer.from(text)
      for (let place = 0; place < bytes.length; place++) {
        const { server, received } = recordingServer(lenient)
        acceptBitsPost(server)
        await exchange(server, [bytes.subarray(0, place), bytes.subarray(place)])
        for (const { body } of received) expect(body.toString()).not.toMatch(/BIND|\0/)
      }
    }
  })

  it('accepts the verb on a connection that is reused after a CONNECT', async () => {
    const { server, received } = recordingServer()
    server.on('connect', (_req, socket) => {
      socket.write('HTTP/1.1 200 OK\r\n\r\n')
      server.emit('connection', socket)
    })
    acceptBitsPost(server)
    const ping = Buffer.from(PING)
    await exchange(server, [
      ping,
      Buffer.from('CONNECT a:1 HTTP/1.1\r\nHost: a\r\n\r\n'),
      ping,
      ...everyByte(ping),
    ])
    expect(received.map(({ method }) => method)).toEqual(['BITS_POST', 'BITS_POST', 'BITS_POST'])
  })
})

describe('a verb similar to BITS_POST', () => {
  const broken = [
    ...[
      'BITS / HTTP/1.1',
      'BITS_POSTX / HTTP/1.1',
      'BITS_PUT / HTTP/1.1',
      'BITS_POST\t/ HTTP/1.1',
      'BITSD / HTTP/1.1',
    ],
    ...[
      'BITS_POST://x HTTP/1.1',
      'BITS_POS /x HTTP/1.1',
      'BITBIND / HTTP/1.1',
      'BITD / HTTP/1.1',
      'BIS / HTTP/1.1',
    ],
    ...[
      'UNBITS_POST / HTTP/1.1',
      'REBITS_POST / HTTP/1.1',
      'LITS_POST / HTTP/1.1',
      'BBITS_POST / HTTP/1.1',
      'GETBITS_POST / HTTP/1.1',
      'POTS_POST / HTTP/1.1',
    ],
  ]

  it.each(broken)('is answered as before, wherever it is split: %s', async (line) => {
    const bytes = Buffer.from(`${line}\r\nHost: a\r\n\r\n`)
    const plain = recordingServer()
    const patched = recordingServer()
    acceptBitsPost(patched.server)
    const before = await exchange(plain.server, [bytes])
    expect(before).toMatch(/^HTTP\/1.1 400 /)
    for (let place = 0; place < 15; place++) {
      for (let next = place; next < 15; next++) {
        const cuts = [bytes.subarray(0, place), bytes.subarray(place, next), bytes.subarray(next)]
        expect(await exchange(patched.server, cuts)).toBe(before)
      }
    }
    expect(patched.received).toEqual([])
  })

  it('is answered as before if the connection ends in the middle of it', async () => {
    const plain = recordingServer()
    const patched = recordingServer()
    acceptBitsPost(patched.server)
    for (let length = 1; length < 'BITS_POST '.length; length++) {
      const bytes = [Buffer.from('BITS_POST '.slice(0, length))]
      expect(await exchange(patched.server, bytes)).toBe(await exchange(plain.server, bytes))
    }
  })
})

describe('an upgrade', () => {
  async function serveWebSockets(): Promise<number> {
    const server = http.createServer(echo)
    acceptBitsPost(server)
    const sockets = new WebSocketServer({ server })
    sockets.on('connection', (socket) =>
      socket.on('message', (data, isBinary) => socket.send(data, { binary: isBinary })),
    )
    closing.push(() => sockets.close())
    return listen(server)
  }

  it('passes WebSocket messages unchanged, however large, while requests still work', async () => {
    const port = await serveWebSockets()
    const socket = new WebSocket(`ws://127.0.0.1:${port}`)
    closing.push(() => socket.terminate())
    await once(socket, 'open')
    const sent = [1, 1000, 500_000].map((times) => 'BITS_POST / HTTP/1.1\r\n\r\n'.repeat(times))
    for (const text of sent) {
      const echoed = once(socket, 'message')
      socket.send(text)
      expect(await answerTo(port, PING)).toBe('200 BITS_POST /uploads/a.bin ')
      expect(String((await echoed)[0])).toBe(text)
    }
  })

  it('may follow a BITS_POST on the same connection, with a message in its own segment', async () => {
    const raw = await connection(await serveWebSockets())
    raw.write(PING)
    await raw.ack()
    let answer = ''
    raw.socket.on('data', (chunk: Buffer) => {
      answer += chunk.toString('latin1')
    })
    const mask = [0, 0, 0, 0]
    const frame = (text: string) => Buffer.from([0x81, 0x80 | text.length, ...mask, ...Buffer.from(text)])
    const key = 'dGhlIHNhbXBsZSBub25jZQ=='
    const upgrade = `Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: ${key}`
    raw.write(
      Buffer.concat([
        Buffer.from(`GET / HTTP/1.1\r\nHost: a\r\n${upgrade}\r\n\r\n`),
        frame('BITS_POST '),
        frame('BITS_POST '),
      ]),
    )
    await until(() => answer.endsWith('\x81\x0aBITS_POST \x81\x0aBITS_POST '))
  })

  it('gets the socket as Node left it', async () => {
    const server = http.createServer(echo)
    acceptBitsPost(server)
    const chunks: Buffer[] = []
    const listeners: number[] = []
    server.on('upgrade', async (_req, socket, head) => {
      listeners.push(socket.listenerCount('data'))
      if (head.length > 0) socket.unshift(head)
      for await (const chunk of socket) chunks.push(chunk)
      socket.end('done')
    })
    const raw = await connection(await listen(server))
    raw.write(PING)
    await raw.ack()
    raw.write('GET / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: x\r\n\r\nBITS_POST / ')
    await turns(5)
    raw.write('BITS_POST /')
    raw.end()
    await raw.closed()
    expect(Buffer.concat(chunks).toString()).toBe('BITS_POST / BITS_POST /')
    expect(listeners).toEqual([0])
  })

  const IGNORED = 'GET /x HTTP/1.1\r\nHost: a\r\nConnection: keep-alive, Upgrade\r\nUpgrade: h2c\r\n'
  const PLAIN = 'GET /z HTTP/1.1\r\nHost: a\r\n\r\n'
  it.each([
    ['the start of a BITS_POST', 'BITS_POST /'],
    ['a verb', 'BITS_POST '],
    ['part of a verb', 'BITS_'],
    ['half a head', 'BITS_POST /y HTTP/1.1\r\nHost: a\r\nX: '],
    ['a BITS_POST', PING],
    ['a GET and the start of a BITS_POST', `${PLAIN}BITS_POST /y`],
  ])('that is ignored discards the rest of its buffer: %s', async (_name, rest) => {
    for (const body of ['', 'BITS_POST ']) {
      const upgrade = `${IGNORED}Content-Length: ${body.length}\r\n\r\n${body}`
      const sent = [upgrade + rest, PLAIN, PING, PLAIN].map((text) => Buffer.from(text))
      const native = recordingServer()
      await exchange(native.server, [
        ...sent.slice(0, 2),
        Buffer.from(PING.replace('BITS_POST', 'BIND')),
        Buffer.from(PLAIN),
      ])
      const { server, received } = recordingServer()
      acceptBitsPost(server)
      await exchange(server, sent)
      expect(received.map(({ method, url, body }) => `${method} ${url} ${body}`)).toEqual([
        `GET /x ${body}`,
        'GET /z ',
        'BITS_POST /uploads/a.bin ',
        'GET /z ',
      ])
      expect(received.map(({ url, body }) => `${url} ${body}`)).toEqual(
        native.received.map(({ url, body }) => `${url} ${body}`),
      )
    }
  })

  it('that is ignored cannot change where the next body begins', async () => {
    const put = (length: number) => `PUT /z HTTP/1.1\r\nHost: a\r\nContent-Length: ${length}\r\n\r\n`
    const length = 200
    const body = `${'.'.repeat(length - put(length).length)}BITS_POST `.padEnd(length, '.')
    // The blank line would complete the dropped head, which has as many lines as the one that follows.
    for (const dropped of [
      'PUT /z HTTP/1.1\r\nHost: a\r\nX: y\r\n',
      'XUT /z HTTP/1.1\r\nHost: a\r\nX: y\r\n',
    ]) {
      const { server, received } = recordingServer()
      acceptBitsPost(server)
      const sent = [`${IGNORED}\r\n${dropped}`, `\r\n${put(length)}${body}`]
      await exchange(
        server,
        sent.map((text) => Buffer.from(text)),
      )
      expect(received.map((each) => each.body.toString())).toEqual(['', body])
    }
  })

  it('is ignored by a server that accepts no upgrades, and BITS_POST still works', async () => {
    const server = http.createServer(echo)
    acceptBitsPost(server)
    const raw = await connection(await listen(server))
    raw.write(`GET /g HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: x\r\n\r\n`)
    expect((await raw.ack()).body.toString()).toBe('GET /g ')
    raw.write(PING)
    expect((await raw.ack()).body.toString()).toBe('BITS_POST /uploads/a.bin ')
  })
})

describe('https', () => {
  async function certificate(): Promise<{ key: Buffer; cert: Buffer }> {
    const directory = await mkdtemp(join(tmpdir(), 'bits-cert-'))
    const [key, cert] = [join(directory, 'key.pem'), join(directory, 'cert.pem')]
    const args = [
      'req',
      '-x509',
      '-newkey',
      'ec',
      '-pkeyopt',
      'ec_paramgen_curve:prime256v1',
      '-nodes',
      '-days',
      '2',
    ]
    await promisify(execFile)('openssl', [...args, '-subj', '/CN=localhost', '-keyout', key, '-out', cert])
    const pair = { key: await readFile(key), cert: await readFile(cert) }
    await rm(directory, { recursive: true })
    return pair
  }

  function bitsPost(port: number, body: Buffer, agent: https.Agent): Promise<string> {
    return new Promise((resolve, reject) => {
      const options = {
        port,
        host: '127.0.0.1',
        method: 'BITS_POST',
        path: '/x',
        agent,
        rejectUnauthorized: false,
      }
      const req = https.request(options, (res) =>
        readBody(res).then((answer) => resolve(answer.toString('latin1')), reject),
      )
      req.on('error', reject)
      req.end(body)
    })
  }

  it.each(['by name', 'everywhere'])('is patched like http: %s', async (how) => {
    const server = https.createServer(await certificate(), echo)
    if (how === 'everywhere') acceptBitsPostEverywhere()
    else acceptBitsPost(server)
    const port = await listen(server)
    const agent = new https.Agent({ keepAlive: true, maxSockets: 1 })
    closing.push(() => agent.destroy())
    const body = Buffer.from('BITS_POST / HTTP/1.1\r\n\r\n'.repeat(10_000))
    expect(await bitsPost(port, body, agent)).toBe(`BITS_POST /x ${body}`)
    expect(await bitsPost(port, Buffer.from('2'), agent)).toBe('BITS_POST /x 2')
  })
})

describe('every server of the process', () => {
  it('accepts the verb, whether created before or after', async () => {
    const before = await listen(http.createServer(echo))
    acceptBitsPostEverywhere()
    acceptBitsPostEverywhere()
    const after = await listen(http.createServer(echo))
    for (const port of [before, before, after, after]) {
      expect(await answerTo(port, PING)).toBe('200 BITS_POST /uploads/a.bin ')
    }
  })

  it.each([
    ['Express 5', express],
    ['Express 4', express4],
  ])('runs %s: app.listen, createServer(app), supertest, routers at any depth', async (_name, framework) => {
    acceptBitsPostEverywhere()
    const app = framework()
    const [outer, middle, inner] = [framework.Router(), framework.Router(), framework.Router()]
    inner.use((req, res) => void res.send(`${req.method} ${req.baseUrl} ${req.url}`))
    app.use('/1', outer.use('/2', middle.use('/3', inner)))
    const answer = 'BITS_POST /1/2/3 /a.bin'
    const wire = PING.replace('/uploads', '/1/2/3')

    const listening = app.listen(0, '127.0.0.1')
    await once(listening, 'listening')
    closing.push(() => listening.close())
    expect(await answerTo(portOf(listening), wire)).toBe(`200 ${answer}`)
    expect(await answerTo(await listen(http.createServer(app)), wire)).toBe(`200 ${answer}`)
    const response = await new request.Test(app, 'BITS_POST', '/1/2/3/a.bin')
    expect(response.text).toBe(answer)
  })

  it('may be a worker of a cluster', async () => {
    const directory = await mkdtemp(join(tmpdir(), 'bits-cluster-'))
    closing.push(() => rm(directory, { recursive: true }))
    const script = join(directory, 'worker.cjs')
    await writeFile(
      script,
      await bundleScript(new URL('../fixtures/cluster-worker.ts', import.meta.url), 'cjs'),
    )
    const child = fork(script, { execArgv: [] })
    closing.push(() => child.kill())
    const [address] = await once(child, 'message')
    const answers = new Set<string>()
    for (let i = 0; i < 8; i++) answers.add(await answerTo(address.port, PING))
    expect([...answers].every((answer) => answer.startsWith('200 BITS_POST '))).toBe(true)
    expect(answers.size).toBe(2)
    child.disconnect()
    await once(child, 'exit')
  })
})

describe('a usage error is explained', () => {
  it('if the argument is not a server', () => {
    const app = express()
    // @ts-expect-error An app is not a server.
    expect(() => acceptBitsPost(app)).toThrow(
      'pass what http.createServer(), https.createServer() or app.listen() returned',
    )
  })

  it('if this version of Node does not know BIND', () => {
    expect(() => assertBindIsKnown(['GET', 'POST'])).toThrow('does not know the verb BIND')
    expect(() => assertBindIsKnown()).not.toThrow()
  })

  it.each([
    ['bun', /^Bun 1\.2 cannot receive BITS_POST: .* Use Node 20 to 26, or set acceptBitsPost: false/],
    ['deno', /^Deno 1\.2 cannot receive BITS_POST: .* Use Node 20 to 26, or set acceptBitsPost: false/],
  ])('in %s, which knows BIND but does not pass it on', (name, sentence) => {
    const versions = { ...process.versions, [name]: '1.2' }
    expect(() => assertBindIsKnown(['BIND'], versions)).toThrow(sentence)
  })
})
