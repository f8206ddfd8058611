import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals'
import { type UploadResult, uploadFile } from 'express-bits-upload/client'
import { bundleScript } from '../support/bundle-script.js'
import { stagedFiles } from '../support/files.js'
import { temporaryDirectory } from '../support/serve.js'
import { contentOf } from '../support/upload-fixture.js'

const SCRIPT = new URL('../fixtures/crashing-server.ts', import.meta.url)
/** The steps of a delivery in order. */
const STEPS = ['notified', 'reply-kept', 'answer-noted', 'published', 'publication-noted']
const FILE = contentOf(50_000)

let root: Awaited<ReturnType<typeof temporaryDirectory>>
const children: ChildProcess[] = []
const results = new Map<string, UploadResult>()
let journal: string[] = []

async function startServer(port: number, blocks: boolean): Promise<{ child: ChildProcess; port: number }> {
  const settings = {
    directory: join(root.path, 'uploads'),
    port,
    blocks,
    journal: join(root.path, 'journal'),
  }
  const script = await bundleScript(SCRIPT, 'cjs')
  const child = spawn(process.execPath, ['-', JSON.stringify(settings)], {
    stdio: ['pipe', 'inherit', 'inherit', 'ipc'],
  })
  children.push(child)
  child.stdin?.end(script)
  const [message] = await once(child, 'message')
  return { child, port: message.port }
}

// At each step, one upload blocks. Then the server is killed, another one takes over, and the clients continue.
beforeAll(async () => {
  root = await temporaryDirectory()
  const file = join(root.path, 'file.bin')
  await writeFile(file, FILE)
  const first = await startServer(0, true)
  const allBlocked = new Promise<void>((resolve) => {
    const seen = new Set<string>()
    first.child.on('message', (message: { blockedAt: string }) => {
      if (seen.add(message.blockedAt).size === STEPS.length) resolve()
    })
  })
  const uploads = STEPS.map(async (step) => {
    const options = { minRetryDelay: 50, maxRetryDelay: 200, retries: 200, fragmentSize: 20_000 }
    results.set(step, await uploadFile(file, `http://127.0.0.1:${first.port}/uploads/${step}.bin`, options))
  })
  await allBlocked
  first.child.kill('SIGKILL')
  await once(first.child, 'exit')
  await startServer(first.port, false)
  await Promise.all(uploads)
  journal = (await readFile(join(root.path, 'journal'), 'utf8')).trimEnd().split('\n')
})

afterAll(async () => {
  for (const child of children) child.kill('SIGKILL')
  await root.remove()
})

const count = (line: string) => journal.filter((other) => other === line).length

describe('a server that is killed', () => {
  test.each(STEPS)('with a delivery at "%s" ends with a complete file and reply', async (step) => {
    expect(await readFile(join(root.path, 'uploads', `${step}.bin`))).toEqual(FILE)
    expect(results.get(step)?.reply?.toString()).toMatch(new RegExp(`^${step}.bin (first|second) \\d$`))
  })

  test.each([
    ['notified', 2],
    ['reply-kept', 2],
    ['answer-noted', 1],
    ['published', 1],
    ['publication-noted', 1],
  ])('with a delivery at "%s" calls the application %d times: at least once', (step, calls) => {
    expect(count(`onUpload ${step}.bin`)).toBe(calls)
  })

  test.each([
    ['notified', 'second'],
    ['reply-kept', 'second'],
    ['answer-noted', 'first'],
    ['published', 'first'],
    ['publication-noted', 'first'],
  ])('with a delivery at "%s" gives the client the reply of the %s server', (step, which) => {
    expect(results.get(step)?.reply?.toString()).toContain(` ${which} `)
  })

  test('emits "uploaded" for no file twice', () => {
    for (const step of STEPS) expect(count(`uploaded ${step}.bin`)).toBeLessThanOrEqual(1)
    for (const step of STEPS.slice(0, -1)) expect(count(`uploaded ${step}.bin`)).toBe(1)
  })

  test('leaves nothing staged', async () => {
    expect(await stagedFiles(join(root.path, 'uploads'))).toEqual([])
  })
})
