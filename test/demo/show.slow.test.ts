import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { cp, mkdtemp, readdir, rm } from 'node:fs/promises'
import type { AddressInfo } from 'node:net'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { expect, test } from '@jest/globals'
import { build } from 'esbuild'
import { bundledPackage } from '../support/programs/path.js'

const ROOT = resolve(import.meta.dirname, '../..')

/** Bundled once, because a TypeScript loader takes 2 seconds of CPU time for each start. */
const main = bundleDemo()

/** Bundles the demo in the directory of the package, which it finds there by name. Returns its main file. */
async function bundleDemo(): Promise<string> {
  const directory = join(bundledPackage(), 'demo')
  const outfile = join(directory, 'main.js')
  await build({
    absWorkingDir: ROOT,
    entryPoints: ['demo/main.ts'],
    outfile,
    bundle: true,
    format: 'esm',
    platform: 'node',
    packages: 'external',
    tsconfigRaw: {},
  })
  await cp(join(ROOT, 'demo/public'), join(directory, 'public'), { recursive: true })
  return outfile
}

/** The demo as started by `npm start -- ...words`, on a port that is taken, with separate temporary directories. */
async function start(...words: string[]) {
  const temporary = await mkdtemp(join(tmpdir(), 'bits-show-test-'))
  const taken = createServer().listen(0, '127.0.0.1')
  await once(taken, 'listening')
  const { port } = taken.address() as AddressInfo
  const options = ['--port', String(port), '--directory', join(temporary, 'uploads')]
  const child = spawn(process.execPath, [await main, ...options, ...words], {
    cwd: ROOT,
    env: { ...process.env, TMPDIR: temporary },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  const said = { out: '', errors: '' }
  child.stdout.on('data', (chunk: Buffer) => (said.out += chunk.toString()))
  child.stderr.on('data', (chunk: Buffer) => (said.errors += chunk.toString()))
  const closed = once(child, 'close')
  return {
    port,
    /** Waits for a match in its output. */
    async hears(pattern: RegExp): Promise<RegExpExecArray> {
      for (;;) {
        const match = pattern.exec(said.out)
        if (match) return match
        if (child.exitCode !== null) throw new Error(`It ended: ${said.out}${said.errors}`)
        await sleep(50)
      }
    },
    /** Opens the page, as far as the server can tell. */
    async open(): Promise<string> {
      const [, origin = ''] = await this.hears(/^Page +(http:\S+)\/$/m)
      const stream = await fetch(`${origin}/live/events`)
      await stream.body?.cancel()
      return origin
    },
    interrupt: () => child.kill('SIGINT'),
    async outcome() {
      await closed
      taken.close()
      const left = await readdir(temporary, { recursive: true })
      await rm(temporary, { recursive: true, force: true })
      return { code: child.exitCode, ...said, files: left.filter((name) => /\.(?:bin|csv|part)$/.test(name)) }
    },
  }
}

test.concurrent('--once survives the interruption and the restart, shows a reply, reports success, and leaves no file behind', async () => {
  const demo = await start('--once')
  const { code, out, errors, files } = await demo.outcome()
  expect({ code, errors, files }).toEqual({ code: 0, errors: '', files: [] })
  expect(out).toContain(`Port ${demo.port} is taken`)
  expect(out).toContain('The connection is cut')
  expect(out).toContain('The server stops, and starts again.')
  expect(out).toContain('The client lost its connection')
  expect(out).toContain('sessions used: 1')
  const [, sent, got] = /SHA-256 sent +([0-9a-f]{64})\n.*SHA-256 got +([0-9a-f]{64})\n/.exec(out) ?? []
  expect(got).toBe(sent)
  const [, reply = ''] = /Its reply, as the client got it:\n( +\{.*? +\}\n)/s.exec(out) ?? []
  expect(JSON.parse(reply)).toMatchObject({ rows: 40, columns: 4, unevenRows: 0 })
  const [, origin] = /Page +(http:\/\/127\.0\.0\.1:\d+)\//.exec(out) ?? []
  expect(out).toContain(
    `Start-BitsTransfer -TransferType Upload -Source C:\\path\\report.zip -Destination ${origin}/uploads/`,
  )
  expect(out).toMatch(/bitsadmin \/transfer \S+ \/upload .*http:\/\/127/)
}, 120_000)

test.concurrent('Ctrl+C in the middle stops it cleanly', async () => {
  const demo = await start()
  await demo.open()
  await demo.hears(/25%/)
  demo.interrupt()
  const { code, out, errors, files } = await demo.outcome()
  expect({ code, errors, files }).toEqual({ code: 130, errors: '', files: [] })
  expect(out).toContain('Stopped before the end.')
}, 120_000)

test.concurrent('without --once it stays up with the page, until Ctrl+C', async () => {
  const demo = await start()
  const [, page = ''] = await demo.hears(/See it happen at (\S+)/)
  expect(await (await fetch(page)).text()).toContain('<h1>BITS uploads</h1>')
  demo.interrupt()
  const { code, out, errors, files } = await demo.outcome()
  expect({ code, errors, files }).toEqual({ code: 0, errors: '', files: [] })
  expect(out).toContain('No page is open yet. The upload starts anyway.')
}, 120_000)

test.concurrent('the upload starts when a page opens, and the page can have it shown again, one at a time', async () => {
  const demo = await start()
  const origin = await demo.open()
  const press = async () => {
    const headers = { 'X-BITS-Demo': '1', 'Sec-Fetch-Site': 'same-origin' }
    const response = await fetch(`${origin}/show`, { method: 'POST', headers })
    return response.json()
  }
  const listed = async () => {
    const files: unknown = await (await fetch(`${origin}/uploads/`)).json()
    return Array.isArray(files) ? files.map(({ name }) => name) : []
  }
  await demo.hears(/The page is open\..*25%/s)
  expect(await press()).toEqual({ result: 'running' })
  await demo.hears(/starts another one/)
  const first = await listed()
  expect(first).toHaveLength(2)
  expect(await press()).toEqual({ result: 'started' })
  await demo.hears(/The page asks for an upload\..*sessions used: 1.*Its reply/s)
  // The files of the first one are gone: however often the button is pressed, the disk does not fill up.
  const second = await listed()
  expect(second).toHaveLength(2)
  expect(second).not.toEqual(expect.arrayContaining(first))
  demo.interrupt()
  const { code, errors, files } = await demo.outcome()
  expect({ code, errors, files }).toEqual({ code: 0, errors: '', files: [] })
}, 120_000)

test.concurrent('an unknown argument is refused with a message', async () => {
  const { code, errors } = await (await start('--ones')).outcome()
  expect(code).toBe(1)
  expect(errors).toMatch(/^The demo failed: .*--ones/)
})
