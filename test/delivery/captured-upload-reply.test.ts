import { randomBytes } from 'node:crypto'
import { access, readFile, writeFile } from 'node:fs/promises'
import { type AddressInfo, createServer, type Server } from 'node:net'
import { afterAll, beforeAll, expect, test } from '@jest/globals'
import { type RawAck, RawConnection } from '../support/raw.js'
import { type Running, serve, temporaryDirectory } from '../support/serve.js'

interface Exchange {
  host: string
  request: Record<string, string>
  ack: Record<string, string>
}

const vector = JSON.parse(await readFile(new URL('../vectors/upload-reply.json', import.meta.url), 'utf8'))
const file = randomBytes(4892)
const reply = randomBytes(vector.reply.size)

let directory: Awaited<ReturnType<typeof temporaryDirectory>>
let application: Server
let server: Running
/** The heads of the requests that the application received. */
const notifications: string[] = []

beforeAll(async () => {
  directory = await temporaryDirectory()
  application = createServer((socket) => {
    socket.on('data', async (chunk) => {
      const head = chunk.toString('latin1')
      notifications.push(head)
      const response = /BITS-Response-DataFile-Name: (.*)\r\n/.exec(head)?.[1] ?? ''
      await writeFile(response, reply)
      // As in the capture, there is no Content-Length, and the end of the connection ends the response.
      socket.end(`${vector.notification.response.join('\r\n')}\r\n\r\n`)
    })
  })
  await new Promise<void>((resolve) => application.listen(0, '127.0.0.1', resolve))
  const { port } = application.address() as AddressInfo
  server = await serve(
    {
      directory: directory.path,
      hostId: 'FRANKCAO8',
      hostIdFallbackTimeout: 110,
      notification: { type: 'by-reference', url: `http://127.0.0.1:${port}/bitsasp/test.REPLY` },
    },
    { mount: '/upload-ref-isapi-WebFarm' },
  )
})

afterAll(async () => {
  await server.stop()
  application.close()
  await directory.remove()
})

test('the captured upload-reply by reference with a host id, header by header (MC-BUP 4.2)', async () => {
  const [origin, host] = [await RawConnection.open(server.port), await RawConnection.open(server.port)]
  const to = (name: string) => (name === vector.createSession.host ? origin : host)
  let issued = ''
  const fill = (text: string) => text.replace('<issued>', issued).replace('<guid>', issued.slice(1, -1))

  const send = async ({ host: name, request }: Exchange, body = Buffer.alloc(0)): Promise<RawAck> => {
    const headers = Object.entries({ ...vector.everyRequest, ...request, Host: name })
    const lines = headers.map(([header, value]) => `${header}: ${fill(String(value))}`)
    to(name).write(
      Buffer.concat([
        Buffer.from(`BITS_POST ${vector.path} HTTP/1.1\r\n${lines.join('\r\n')}\r\n\r\n`),
        body,
      ]),
    )
    return to(name).ack()
  }
  const expectAck = (ack: RawAck, wanted: Record<string, string>) => {
    expect(ack.status).toBe(200)
    for (const [name, value] of Object.entries({ ...vector.everyAck, ...wanted })) {
      expect(ack.headers).toContainEqual([name, fill(String(value))])
    }
  }

  const created = await send(vector.createSession)
  issued = created.header('BITS-Session-Id') ?? ''
  expect(issued).toMatch(/^\{[0-9A-F]{8}(-[0-9A-F]{4}){3}-[0-9A-F]{12}\}$/)
  expectAck(created, vector.createSession.ack)
  expectAck(await send(vector.ping), vector.ping.ack)
  // IIS announced a relative URL, which clients request from the original host; it is absolute here (D15).
  const { 'BITS-Reply-URL': captured, ...fragmentAck } = vector.fragment.ack
  const fragmentResponse = await send(vector.fragment, file)
  expectAck(fragmentResponse, fragmentAck)
  const replyUrl = new URL(fragmentResponse.header('BITS-Reply-URL') ?? '')
  expect(replyUrl.host).toBe('frankcao8')
  expect(decodeURIComponent(replyUrl.pathname).replaceAll('/', '\\')).toContain(fill(captured))

  const [requestLine, ...headers] = (notifications[0] ?? '').trimEnd().split('\r\n')
  expect(notifications).toHaveLength(1)
  expect(requestLine).toBe(vector.notification.requestLine)
  const wanted = vector.notification.headers.map(([name, value]: [string, string]) =>
    value.startsWith('<') ? expect.stringMatching(new RegExp(`^${name}: .`)) : `${name}: ${value}`,
  )
  expect(headers).toEqual(wanted)

  const path = fill(vector.reply.path)
  const lines = Object.entries({ ...vector.reply.request, Host: vector.reply.host })
  origin.write(
    `GET ${path} HTTP/1.1\r\n${lines.map(([name, value]) => `${name}: ${value}`).join('\r\n')}\r\n\r\n`,
  )
  const part = await origin.ack()
  expect(part.status).toBe(206)
  for (const [name, value] of Object.entries(vector.reply.response)) {
    expect(part.header(name)).toBe(fill(String(value)))
  }
  for (const name of vector.reply.present) expect(part.header(name)).toMatch(/./)
  expect(part.body.equals(reply.subarray(0, 9977))).toBe(true)

  expectAck(await send(vector.closeSession), vector.closeSession.ack)
  origin.write(`HEAD ${path} HTTP/1.1\r\nHost: ${vector.reply.host}\r\n\r\n`)
  expect((await origin.ack()).status).toBe(404)
  // No BITS-Copy-File-To-Destination: only the application received the upload.
  await expect(access(`${directory.path}/2100mb-rfc2119.txt`)).rejects.toThrow('ENOENT')
  origin.end()
  host.end()
})
