import { expect, test } from '@jest/globals'
import { fixtures } from '../support/fixtures.js'
import { closeSession, createSession, fragment, PROTOCOL, packet } from '../support/raw.js'
import { type Block, block } from './blocks.js'
import { FILE, useTempProject } from './use-temp-project.js'

const temp = useTempProject()
const { connect } = fixtures()
const PATH = '/uploads/logs/today.zip'

/** Sends a file in fragments, each over a new connection to the next server. @returns the processes that answered. */
async function inTurns(servers: readonly { port: number }[]): Promise<Set<string | undefined>> {
  const processes = new Set<string | undefined>()
  let turn = 0
  const next = async (request: Buffer) => {
    const ack = await (await connect(servers[turn++ % servers.length] ?? { port: 0 })).exchange(request)
    processes.add(ack.header('X-Process'))
    return ack
  }
  const id = (await next(createSession(PATH))).header('BITS-Session-Id') ?? ''
  for (const first of [0, 1000, 2000, 3000, 4000]) {
    const last = Math.min(first + 1000, FILE.length) - 1
    const ack = await next(fragment(PATH, id, FILE, first, last))
    expect([ack.status, ack.header('BITS-Received-Content-Range')]).toEqual([200, String(last + 1)])
  }
  expect((await next(closeSession(PATH, id))).status).toBe(200)
  return processes
}

/** A block whose app names its process in a header. */
function signed({ text, language }: Pick<Block, 'text' | 'language'>): Pick<Block, 'text' | 'language'> {
  const sign = "app.use((req, res, next) => { res.set('X-Process', String(process.pid)); next() })"
  return { language, text: text.replace('const app = express()', `$&\n${sign}`) }
}

test('workers of node:cluster: each handles any packet', async () => {
  const { text, language } = signed(block('js', { in: 'docs/scaling.md#Workers of node:cluster' }))
  const two = text.replace('availableParallelism()', '2')
  const server = await temp.project.serve({ language, text: two })
  // The server listens as soon as its first worker does. Workers get the connections in turn.
  const workers = new Set<string | undefined>()
  while (workers.size < 2) {
    const ack = await (await connect(server)).exchange(packet('Ping', PATH))
    workers.add(ack.header('X-Process'))
  }
  expect((await inTurns([server])).size).toBe(2)
  expect(await temp.read('uploads/logs/today.zip')).toEqual(FILE)
})

test('shared disk: two processes share the uploads of a directory', async () => {
  const found = signed(block('js', { in: 'docs/scaling.md#Shared disk' }))
  const servers = await Promise.all([temp.project.serve(found), temp.project.serve(found)])
  expect((await inTurns(servers)).size).toBe(2)
  expect(await temp.read('uploads/logs/today.zip')).toEqual(FILE)
})

test('independent servers: Create-Session names the host to continue with', async () => {
  const found = block('js', { in: 'docs/scaling.md#Independent servers (host id)' })
  const server = await temp.project.serve(found, { HOST_ID: 'node1.example.com:3000' })
  const ack = await (await connect(server)).exchange(createSession(PATH))
  expect(ack.header('BITS-Host-Id')).toBe('node1.example.com:3000')
  expect(ack.header('BITS-Host-Id-Fallback-Timeout')).toBe('3600')
})

test('limits: each tenant has a directory and limits, and other hosts have none', async () => {
  const server = await temp.project.serve(block('js', { in: 'docs/limits.md#Limits and clean-up' }))
  const connection = await connect(server)
  const create = (Host: string, path = PATH) =>
    connection.exchange(packet('Create-Session', path, { 'BITS-Supported-Protocols': PROTOCOL, Host }))
  const send = async (Host: string, path: string, total: number) => {
    const id = (await create(Host, path)).header('BITS-Session-Id')
    const range = `bytes 0-${FILE.length - 1}/${total}`
    return connection.exchange(
      packet('Fragment', path, { Host, 'BITS-Session-Id': id, 'Content-Range': range }, FILE),
    )
  }
  for (const tenant of ['acme', 'initech']) {
    expect((await send(`${tenant}.example.com`, PATH, FILE.length)).status).toBe(200)
    expect(await temp.read(`tenants/${tenant}/logs/today.zip`)).toEqual(FILE)
  }
  expect((await create('acme.example.com')).status).toBe(403)
  expect((await create('initech.example.com')).status).toBe(200)
  expect((await create('umbrella.example.com')).status).toBe(501)
  const tooLarge = await send('acme.example.com', '/uploads/b.zip', 10 * 1024 ** 3 + 1)
  expect(tooLarge.header('BITS-Error-Code')).toBe('0x80200020')
})
