import { tracingChannel } from 'node:diagnostics_channel'
import { setTimeout } from 'node:timers/promises'
import { expect, test } from '@jest/globals'
import { type Context, SpanKind, SpanStatusCode } from '@opentelemetry/api'
import {
  InMemorySpanExporter,
  NodeTracerProvider,
  type ReadableSpan,
  SimpleSpanProcessor,
  type SpanProcessor,
} from '@opentelemetry/sdk-trace-node'
import { type BitsUploadOptions, MemoryStorage } from 'express-bits-upload'
import { traceUploads } from 'express-bits-upload/opentelemetry'
import { fixtures } from '../support/fixtures.js'
import { closeSession, createSession, fragment, openSession, packet } from '../support/raw.js'
import { untilHeld } from '../support/serve.js'
import { contentOf } from '../support/upload-fixture.js'

const { start, connect, afterwards } = fixtures()
const PATH = '/uploads/a/file.bin'
const FILE = contentOf(1000)

const exporter = new InMemorySpanExporter()
const provider = new NodeTracerProvider({ spanProcessors: [new SimpleSpanProcessor(exporter)] })
provider.register()
const tracer = provider.getTracer('test')

/** A server whose requests have a server span, as with HTTP instrumentation. */
async function tracedServer(options: BitsUploadOptions = {}) {
  exporter.reset()
  const tracing = traceUploads()
  afterwards(() => tracing.close())
  const running = await start(
    { storage: new MemoryStorage(), ...options },
    {
      before: (app) => {
        app.use((req, res, next) => {
          tracer.startActiveSpan(`server ${req.method}`, { kind: SpanKind.SERVER }, (span) => {
            res.on('close', () => span.end())
            next()
          })
        })
      },
    },
  )
  return { connection: await connect({ port: running.port }), tracing, running }
}

const named = (name: string): ReadableSpan[] =>
  exporter.getFinishedSpans().filter((span) => span.name === name)
const only = (name: string): ReadableSpan => {
  const [span, ...others] = named(name)
  if (span === undefined || others.length > 0) throw new Error(`${others.length} others named ${name}.`)
  return span
}
/** Spans may end shortly after the client has received the response. */
async function until(name: string, count = 1): Promise<void> {
  while (named(name).length < count) await setTimeout(5)
}
const idOf = (span: ReadableSpan | undefined) => span?.spanContext().spanId
const traceOf = (span: ReadableSpan) => span.spanContext().traceId
const parentOf = (span: ReadableSpan) =>
  exporter.getFinishedSpans().find((other) => idOf(other) === span.parentSpanContext?.spanId)

test('packets are children of the server span, and calls are children of packets', async () => {
  const { connection } = await tracedServer({ onUpload: () => 'done' })
  const id = await openSession(connection, `${PATH}?token=secret`)
  await connection.exchange(fragment(PATH, id, FILE))
  await connection.exchange(closeSession(PATH, id))
  await until('server BITS_POST', 3)

  const [created, received, closed] = ['Create-Session', 'Fragment', 'Close-Session'].map((name) =>
    only(`bits ${name}`),
  ) as [ReadableSpan, ReadableSpan, ReadableSpan]
  expect([created, received, closed].map((span) => parentOf(span)?.name)).toEqual(
    Array(3).fill('server BITS_POST'),
  )
  const uploadId = created.attributes['bits.upload.id']
  expect(uploadId).toMatch(/^[0-9a-f]{32}$/)
  expect(received.attributes).toEqual({
    'bits.packet': 'Fragment',
    'bits.upload.id': uploadId,
    'http.request.body.size': 1000,
    'http.response.status_code': 200,
    'url.path': PATH,
  })
  expect(received.status.code).toBe(SpanStatusCode.UNSET)

  const append = only('bits storage.append')
  expect(append.attributes).toEqual({ 'bits.upload.id': uploadId, 'bits.stored_bytes': 1000 })
  expect(idOf(parentOf(append))).toBe(idOf(received))
  expect(idOf(parentOf(only('bits delivery.onUpload')))).toBe(idOf(received))
  expect(idOf(parentOf(only('bits sessions.create')))).toBe(idOf(created))
  expect(JSON.stringify(exporter.getFinishedSpans().map(({ attributes }) => attributes))).not.toContain(
    'secret',
  )
})

test('each packet is its own trace, and links to the one that created its session', async () => {
  const { connection } = await tracedServer()
  const id = await openSession(connection, PATH)
  await connection.exchange(fragment(PATH, id, FILE))
  await connection.exchange(closeSession(PATH, id))
  await until('bits Close-Session')
  const packets = [only('bits Create-Session'), only('bits Fragment'), only('bits Close-Session')]
  const [created] = packets.map((span) => span.spanContext())
  expect(new Set(packets.map(traceOf)).size).toBe(3)
  expect(packets.map(({ links }) => links.map(({ context }) => context))).toEqual([[], [created], [created]])

  await connection.exchange(closeSession(PATH, id))
  await until('bits Close-Session', 2)
  expect(named('bits Close-Session').map(({ links }) => links.length)).toEqual([1, 0])
})

test('failures are recorded where they happen; a refused packet is not a failure of the server', async () => {
  const storage = new MemoryStorage()
  storage.append = async () => {
    throw Object.assign(new Error('The disk is gone.'), { code: 'EIO' })
  }
  const { connection } = await tracedServer({ storage })
  const id = await openSession(connection, PATH)
  expect((await connection.exchange(fragment(PATH, id, FILE))).status).toBe(500)
  await connection.exchange(packet('Nonsense', PATH))
  await until('bits unknown')

  const append = only('bits storage.append')
  expect(append.status).toEqual({ code: SpanStatusCode.ERROR, message: 'The disk is gone.' })
  expect(append.attributes['error.type']).toBe('EIO')
  expect(append.events[0]?.attributes).toMatchObject({ 'exception.message': 'The disk is gone.' })
  const received = only('bits Fragment')
  expect(received.status.code).toBe(SpanStatusCode.ERROR)
  expect(received.attributes).toMatchObject({ 'http.response.status_code': 500, 'error.type': '500' })
  expect(received.attributes['bits.error_code']).toMatch(/^0x/)
  const refused = only('bits unknown')
  expect(refused.status.code).toBe(SpanStatusCode.UNSET)
  expect(refused.attributes).toMatchObject({
    'http.response.status_code': 400,
    'bits.error_code': '0x80070057',
  })
})

test('a client that disconnects leaves an event instead of a status', async () => {
  const { connection, running } = await tracedServer()
  const id = await openSession(connection, PATH)
  const whole = fragment(PATH, id, FILE)
  connection.write(whole.subarray(0, whole.length - 500))
  await untilHeld(running, 500)
  connection.reset()
  await until('bits Fragment')
  const received = only('bits Fragment')
  expect(received.events.map(({ name }) => name)).toEqual(['client disconnected'])
  expect(received.attributes).not.toHaveProperty('http.response.status_code')
})

test('a span processor that throws does not affect uploads', async () => {
  const failing: SpanProcessor = {
    onStart(_span: unknown, _parent: Context) {
      throw new Error('The processor failed.')
    },
    onEnd() {},
    forceFlush: () => Promise.resolve(),
    shutdown: () => Promise.resolve(),
  }
  const tracing = traceUploads({ tracerProvider: new NodeTracerProvider({ spanProcessors: [failing] }) })
  afterwards(() => tracing.close())
  const { port } = await start({ storage: new MemoryStorage() })
  const connection = await connect({ port })
  const id = await openSession(connection, PATH)
  expect((await connection.exchange(fragment(PATH, id, FILE))).status).toBe(200)
})

test('after close() there are no spans, and no subscribers', async () => {
  const { connection, tracing } = await tracedServer()
  await openSession(connection, PATH)
  await until('bits Create-Session')
  tracing.close()
  await connection.exchange(createSession('/uploads/other.bin'))
  expect(named('bits Create-Session')).toHaveLength(1)
  for (const name of ['packet', 'operation']) {
    expect(tracingChannel(`express-bits-upload:${name}`).hasSubscribers).toBe(false)
  }
})
