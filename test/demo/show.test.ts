import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, readdir, rm } from 'node:fs/promises'
import type { AddressInfo } from 'node:net'
import { createServer, type Server } from 'node:net'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { text } from 'node:stream/consumers'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterEach, beforeEach, expect, test } from '@jest/globals'

const ROOT = resolve(import.meta.dirname, '../..')

let temporary: string
let taken: Server
let port: number
beforeEach(async () => {
  temporary = await mkdtemp(join(tmpdir(), 'bits-show-test-'))
  taken = createServer().listen(0, '127.0.0.1')
  await once(taken, 'listening')
  port = (taken.address() as AddressInfo).port
})
afterEach(async () => {
  taken.close()
  await rm(temporary, { recursive: true, force: true })
})

/** `npm start -- ...words`, on a port that is taken and with temporary directories of its own. */
function start(...words: string[]): ChildProcess {
  const args = [
    '--import',
    'tsx',
    'demo/main.ts',
    '--port',
    String(port),
    '--directory',
    join(temporary, 'uploads'),
  ]
  return spawn(process.execPath, [...args, ...words], {
    cwd: ROOT,
    env: { ...process.env, TMPDIR: temporary },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
}

async function outcome(child: ChildProcess): Promise<{ code: number | null; out: string; errors: string }> {
  if (!child.stdout || !child.stderr) throw new Error('The streams are piped.')
  const [out, errors] = await Promise.all([text(child.stdout), text(child.stderr), once(child, 'close')])
  return { code: child.exitCode, out, errors }
}

/** What is left but the folders of the server. */
const leftFiles = async () =>
  (await readdir(temporary, { recursive: true })).filter(
    (name) => name.endsWith('.bin') || name.endsWith('.part'),
  )

test('--once survives the cut and the restart, says so, and leaves no file behind', async () => {
  const { code, out, errors } = await outcome(start('--once'))
  expect({ code, errors }).toEqual({ code: 0, errors: '' })
  expect(out).toContain(`Port ${port} is taken`)
  expect(out).toContain('The connection is cut')
  expect(out).toContain('The server stops, and starts again.')
  expect(out).toContain('The client lost its connection')
  expect(out).toContain('sessions used: 1')
  const [, sent, got] = /SHA-256 sent +([0-9a-f]{64})\n.*SHA-256 got +([0-9a-f]{64})\n/.exec(out) ?? []
  expect(got).toBe(sent)
  const [, origin] = /Page +(http:\/\/127\.0\.0\.1:\d+)\//.exec(out) ?? []
  expect(out).toContain(
    `Start-BitsTransfer -TransferType Upload -Source C:\\path\\report.zip -Destination ${origin}/uploads/`,
  )
  expect(out).toMatch(/bitsadmin \/transfer \S+ \/upload .*http:\/\/127/)
  expect(await leftFiles()).toEqual([])
}, 60_000)

test('Ctrl+C in the middle stops it cleanly', async () => {
  const child = start()
  const ended = outcome(child)
  await sleep(3000)
  child.kill('SIGINT')
  const { code, out, errors } = await ended
  expect({ code, errors }).toEqual({ code: 130, errors: '' })
  expect(out).toContain('Stopped before the end.')
  expect(await leftFiles()).toEqual([])
}, 60_000)

test('without --once it stays up with the page, until Ctrl+C', async () => {
  const child = start()
  const ended = outcome(child)
  let out = ''
  child.stdout?.on('data', (chunk: Buffer) => {
    out += chunk.toString()
  })
  while (!out.includes('See it happen at')) await sleep(100)
  const [, page = ''] = /See it happen at (\S+)/.exec(out) ?? []
  expect(await (await fetch(page)).text()).toContain('<h1>BITS uploads</h1>')
  child.kill('SIGINT')
  expect((await ended).code).toBe(0)
  expect(await leftFiles()).toEqual([])
}, 60_000)

test('an argument it does not know is refused in a sentence', async () => {
  const { code, errors } = await outcome(start('--ones'))
  expect(code).toBe(1)
  expect(errors).toMatch(/^The demo failed: .*--ones/)
})
