import { tracingChannel } from 'node:diagnostics_channel'
import { setTimeout } from 'node:timers/promises'
import { expect, test } from '@jest/globals'
import { MemoryStorage, type OperationTrace, type PacketTrace } from 'express-bits-upload'
import { tracePacket } from '../../lib/http/trace-packet.js'
import { traceAdapterCall } from '../../lib/tracing/trace-adapter-call.js'
import { fixtures } from '../support/fixtures.js'
import { closeSession, fragment, openSession } from '../support/raw.js'
import { untilHeld } from '../support/serve.js'
import { contentOf } from '../support/upload-fixture.js'

const { start, connect, afterwards } = fixtures()
const PATH = '/uploads/a/file.bin'
const FILE = contentOf(1000)

/** Collects the messages of `asyncEnd` until the end of the test. */
function ended<Message>(name: string): Message[] {
  const messages: Message[] = []
  const channel = tracingChannel<unknown, object>(`express-bits-upload:${name}`)
  const listener = (message: unknown) => void messages.push(message as Message)
  channel.asyncEnd.subscribe(listener)
  afterwards(() => channel.asyncEnd.unsubscribe(listener))
  return messages
}

test('an upload is published packet by packet, and operation by operation', async () => {
  const packets = ended<PacketTrace>('packet')
  const operations = ended<OperationTrace>('operation')
  const { bits, port } = await start({ storage: new MemoryStorage(), onUpload: () => 'done' })
  const connection = await connect({ port })
  const id = await openSession(connection, `${PATH}?token=secret`)
  await connection.exchange(fragment(PATH, id, FILE))
  await connection.exchange(closeSession(PATH, id))

  expect(packets.map(({ packet, status, bytes }) => [packet, status, bytes])).toEqual([
    ['Create-Session', 200, 0],
    ['Fragment', 200, 1000],
    ['Close-Session', 200, 0],
  ])
  const [created] = packets
  expect(created).toMatchObject({
    method: 'BITS_POST',
    path: PATH,
    destination: 'a/file.bin',
    hresult: undefined,
  })
  expect(new Set(packets.map(({ uploadId }) => uploadId)).size).toBe(1)
  expect(created?.uploadId).toMatch(/^[0-9a-f]{32}$/)
  expect(packets.every((message) => message.bits === bits)).toBe(true)

  const named = (on: string, operation: string) =>
    operations.filter((message) => message.on === on && message.operation === operation)
  expect(named('storage', 'append')).toMatchObject([{ bits, uploadId: created?.uploadId, bytes: 1000 }])
  expect(named('storage', 'publish')).toMatchObject([{ uploadId: created?.uploadId, bytes: 1000 }])
  expect(named('storage', 'has')).toMatchObject([{ uploadId: undefined }])
  expect(named('sessions', 'create')).toMatchObject([{ uploadId: created?.uploadId }])
  expect(named('delivery', 'onUpload')).toMatchObject([{ bits, uploadId: created?.uploadId }])
  expect(JSON.stringify([packets, operations].flat().map(({ bits: _, ...rest }) => rest))).not.toContain(
    'secret',
  )
})

test('a packet whose client disconnected has no status', async () => {
  const packets = ended<PacketTrace>('packet')
  const running = await start({ storage: new MemoryStorage() })
  const connection = await connect(running)
  const id = await openSession(connection, PATH)
  connection.write(fragment(PATH, id, FILE).subarray(0, -500))
  await untilHeld(running, 500)
  connection.reset()
  while (packets.length < 2) await setTimeout(5)
  expect(packets[1]).toMatchObject({ packet: 'Fragment', status: undefined })
})

test('a synchronous result stays synchronous, and a failure carries its error', () => {
  const operations = ended<OperationTrace>('operation')
  const call = { bits: {}, on: 'storage', operation: 'has', args: ['file'] } as const
  expect(traceAdapterCall(call, () => true)).toBe(true)
  const failure = new Error('No disk.')
  expect(() =>
    traceAdapterCall(call, () => {
      throw failure
    }),
  ).toThrow(failure)
  expect(operations.map(({ error }) => error)).toEqual([undefined, failure])
})

test('without subscribers the work runs unchanged', () => {
  const work = Promise.resolve(undefined)
  const neverRead = new Proxy(Object.create(null), {
    get: () => {
      throw new Error('The request was read.')
    },
  })
  expect(tracePacket({}, neverRead, () => work)).toBe(work)
})
