import { fork } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import { expect, test } from '@jest/globals'
import { fixtures } from '../support/fixtures.js'
import { closeSession, createSession, fragment } from '../support/raw.js'
import { contentOf } from '../support/upload-fixture.js'

const { connect, afterwards } = fixtures()

const SERVER = fileURLToPath(new URL('../fixtures/traced-server.ts', import.meta.url))
const PATH = '/uploads/file.bin'
const FILE = contentOf(1000)

interface Span {
  readonly name: string
  readonly attributes: Readonly<Record<string, unknown>>
}

test('OpenTelemetry sees BITS_POST, never the verb that Node reads in its place', async () => {
  const child = fork(SERVER, { execArgv: ['--import', 'tsx'] })
  afterwards(async () => {
    const exited = once(child, 'exit')
    child.disconnect()
    await exited
  })
  const [started] = await once(child, 'message')
  const spans: Span[] = []
  child.on('message', (span: Span) => spans.push(span))

  const connection = await connect({ port: Number(Reflect.get(started, 'port')) })
  const session = (await connection.exchange(createSession(PATH))).header('BITS-Session-Id') ?? ''
  expect((await connection.exchange(fragment(PATH, session, FILE))).status).toBe(200)
  expect((await connection.exchange(closeSession(PATH, session))).status).toBe(200)
  expect((await connection.exchange('BIND /other HTTP/1.1\r\nHost: a\r\n\r\n')).status).toBe(404)
  while (spans.length < 4) await once(child, 'message')

  // It names the methods of HTTP alone, and gives the others as they were.
  const seen = spans.map(({ attributes }) => [
    attributes['http.request.method_original'],
    attributes['seen.in.hook'],
    attributes['http.response.status_code'],
  ])
  const packet = ['BITS_POST', 'BITS_POST', 200]
  expect(seen).toEqual([packet, packet, packet, ['BIND', 'BIND', 404]])
  expect(JSON.stringify(spans.slice(0, 3))).not.toContain('BIND')
})
