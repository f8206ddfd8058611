import { expect, test } from '@jest/globals'
import { MemoryStorage } from 'express-bits-upload'
import { metrics } from 'express-bits-upload/metrics'
import { Registry } from 'prom-client'
import { fixtures } from '../support/fixtures.js'
import { cancelSession, closeSession, createSession, fragment, openSession, packet } from '../support/raw.js'
import { contentOf } from '../support/upload-fixture.js'

const { start, connect, afterwards } = fixtures()
const PATH = '/uploads/secret-name.bin'
const FILE = contentOf(1000)

/** The value of a series in the Prometheus format. */
async function scraped(registry: Registry, series: string): Promise<number | undefined> {
  const line = (await registry.metrics()).split('\n').find((text) => text.startsWith(`${series} `))
  return line === undefined ? undefined : Number(line.slice(series.length + 1))
}

async function upload(port: number, path = PATH): Promise<void> {
  const connection = await connect({ port })
  const id = await openSession(connection, path)
  expect((await connection.exchange(fragment(path, id, FILE))).status).toBe(200)
  expect((await connection.exchange(closeSession(path, id))).status).toBe(200)
}

test('packets, sessions, bytes and operations are counted, without names', async () => {
  const registry = new Registry()
  const { bits, port } = await start({ storage: new MemoryStorage(), user: () => 'alice' })
  afterwards(metrics(bits, { registry }).close)
  await upload(port)
  const connection = await connect({ port })
  const id = await openSession(connection, '/uploads/other.bin')
  await connection.exchange(cancelSession('/uploads/other.bin', id))
  await connection.exchange(packet('Nonsense', PATH))
  await connection.exchange(createSession(PATH))

  const count = (series: string) => scraped(registry, `bits_upload_${series}`)
  expect(await count('packets_total{packet="Fragment",status="200",hresult=""}')).toBe(1)
  expect(await count('packets_total{packet="Create-Session",status="403",hresult="0x80070005"}')).toBe(1)
  expect(await count('packets_total{packet="unknown",status="400",hresult="0x80070057"}')).toBe(1)
  expect(await count('packet_duration_seconds_count{packet="Fragment"}')).toBe(1)
  expect(await count('packets_in_flight')).toBe(0)
  expect(await count('received_bytes_total')).toBe(1000)
  expect(await count('sessions_total{event="created"}')).toBe(2)
  expect(await count('sessions_total{event="uploaded"}')).toBe(1)
  expect(await count('sessions_total{event="cancelled"}')).toBe(1)
  expect(await count('file_size_bytes_sum')).toBe(1000)
  expect(await count('upload_duration_seconds_count')).toBe(1)
  const append = 'on="storage",operation="append",outcome="ok"'
  expect(await count(`operation_duration_seconds_count{${append}}`)).toBe(1)
  const text = await registry.metrics()
  for (const secret of ['secret-name', 'alice', id.slice(1, -1)]) expect(text).not.toContain(secret)
})

test('a storage failure is counted as a failed operation and an error', async () => {
  const registry = new Registry()
  const storage = new MemoryStorage()
  storage.append = async () => {
    throw new Error('The disk is gone.')
  }
  const { bits, port } = await start({ storage })
  afterwards(metrics(bits, { registry }).close)
  const connection = await connect({ port })
  const id = await openSession(connection, PATH)
  expect((await connection.exchange(fragment(PATH, id, FILE))).status).toBe(500)
  const append = 'on="storage",operation="append",outcome="error"'
  expect(await scraped(registry, `bits_upload_operation_duration_seconds_count{${append}}`)).toBe(1)
  expect(await scraped(registry, 'bits_upload_errors_total')).toBe(1)
})

test('two instances add up in one registry, or stay separate with prefixes, until they are closed', async () => {
  const registry = new Registry()
  const one = await start({ storage: new MemoryStorage() })
  const other = await start({ storage: new MemoryStorage() })
  const collecting = [
    metrics(one.bits, { registry }),
    metrics(other.bits, { registry }),
    metrics(other.bits, { registry, prefix: 'other_' }),
  ]
  afterwards(() => {
    for (const { close } of collecting) close()
  })
  await upload(one.port)
  await upload(other.port)
  expect(await scraped(registry, 'bits_upload_received_bytes_total')).toBe(2000)
  expect(await scraped(registry, 'other_received_bytes_total')).toBe(1000)

  for (const { close } of collecting) close()
  await upload(other.port, '/uploads/later.bin')
  expect(await scraped(registry, 'bits_upload_received_bytes_total')).toBe(2000)
  expect(await scraped(registry, 'other_received_bytes_total')).toBe(1000)
  expect(await scraped(registry, 'bits_upload_packets_in_flight')).toBe(0)
})
