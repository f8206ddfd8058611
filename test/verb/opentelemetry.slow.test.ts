import { fork } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import { expect, test } from '@jest/globals'
import { type SpanContext, SpanKind } from '@opentelemetry/api'
import { fixtures } from '../support/fixtures.js'
import { closeSession, createSession, fragment } from '../support/raw.js'
import { contentOf } from '../support/upload-fixture.js'

const { connect, afterwards } = fixtures()

const SERVER = fileURLToPath(new URL('../fixtures/traced-server.ts', import.meta.url))
const PATH = '/uploads/file.bin'
const FILE = contentOf(1000)

interface Span {
  readonly name: string
  readonly kind: SpanKind
  readonly id: SpanContext
  readonly parent: SpanContext | undefined
  readonly attributes: Readonly<Record<string, unknown>>
}

test('OpenTelemetry sees BITS_POST, never the verb that Node reads instead, with packets as children', async () => {
  const child = fork(SERVER, { execArgv: ['--import', 'tsx'] })
  afterwards(async () => {
    const exited = once(child, 'exit')
    child.disconnect()
    await exited
  })
  const spans: Span[] = []
  const port = await new Promise<number>((resolve) => {
    child.on('message', (message: Span | { port: number }) => {
      if ('port' in message) resolve(message.port)
      else spans.push(message)
    })
  })

  const connection = await connect({ port })
  const session = (await connection.exchange(createSession(PATH))).header('BITS-Session-Id') ?? ''
  expect((await connection.exchange(fragment(PATH, session, FILE))).status).toBe(200)
  expect((await connection.exchange(closeSession(PATH, session))).status).toBe(200)
  expect((await connection.exchange('BIND /other HTTP/1.1\r\nHost: a\r\n\r\n')).status).toBe(404)
  const requests = () => spans.filter(({ kind }) => kind === SpanKind.SERVER)
  while (requests().length < 4) await once(child, 'message')

  // It names the methods of HTTP alone, and gives the others as they were.
  const seen = requests().map(({ attributes }) => [
    attributes['http.request.method_original'],
    attributes['seen.in.hook'],
    attributes['http.response.status_code'],
  ])
  const packet = ['BITS_POST', 'BITS_POST', 200]
  expect(seen).toEqual([packet, packet, packet, ['BIND', 'BIND', 404]])
  expect(JSON.stringify(requests().slice(0, 3))).not.toContain('BIND')

  const packets = spans.filter(({ name }) => /^bits [A-Z]/.test(name))
  expect(packets.map(({ name }) => name)).toEqual([
    'bits Create-Session',
    'bits Fragment',
    'bits Close-Session',
  ])
  const served = requests()
    .slice(0, 3)
    .map(({ id }) => [id.traceId, id.spanId])
  expect(packets.map(({ id, parent }) => [id.traceId, parent?.spanId])).toEqual(served)
})
