import { request } from 'node:http'
import { hostname } from 'node:os'
import { afterAll, beforeAll, beforeEach, expect, test } from '@jest/globals'
import { type RunningDemo, startDemo } from './support.js'

const FORM = [
  '--x',
  'Content-Disposition: form-data; name="file"; filename="a.txt"',
  '',
  'from another site',
  '--x--',
  '',
].join('\r\n')
const FORM_HEADERS = { 'Content-Type': 'multipart/form-data; boundary=x' }
const BUTTON = { 'X-BITS-Demo': '1' }

let demo: RunningDemo
let starts = 0
let isRunning = false

beforeAll(async () => {
  const show = {
    get isRunning() {
      return isRunning
    },
    start() {
      starts += 1
      return !isRunning
    },
  }
  demo = await startDemo({ show })
})
afterAll(() => demo.stop())
beforeEach(() => {
  starts = 0
  isRunning = false
})

/** Not with `fetch()`, which sets the Host header itself. */
function post(path: string, headers: Record<string, string>, body = ''): Promise<number | undefined> {
  return new Promise((resolve, reject) => {
    const outgoing = request(demo.origin + path, { method: 'POST', headers, agent: false }, (response) => {
      response.resume().on('end', () => resolve(response.statusCode))
    })
    outgoing.on('error', reject).end(body)
  })
}

const files = async (): Promise<unknown> => (await fetch(`${demo.origin}/uploads/`)).json()
const state = async (): Promise<unknown> => (await fetch(`${demo.origin}/show`)).json()

test('a page of another site can neither post the form nor press the button', async () => {
  const port = new URL(demo.origin).port
  const foreign: Record<string, string>[] = [
    { 'Sec-Fetch-Site': 'cross-site' },
    // Another port of this machine.
    { 'Sec-Fetch-Site': 'same-site', Origin: 'http://127.0.0.1:1' },
    { Origin: 'http://evil.example' },
    { Origin: 'null' },
    { Origin: demo.origin.replace('http:', 'https:') },
    // Its name resolves to 127.0.0.1, which makes it the same origin to the browser.
    { 'Sec-Fetch-Site': 'same-origin', Host: `evil.example:${port}` },
    { Origin: `http://evil.example:${port}`, Host: `evil.example:${port}` },
    { 'Sec-Fetch-Site': 'same-origin', Host: `127.0.0.1.evil.example:${port}` },
    { 'Sec-Fetch-Site': 'same-origin', Host: 'notlocalhost' },
  ]
  for (const headers of foreign) {
    expect([headers, await post('/form', { ...FORM_HEADERS, ...headers }, FORM)]).toEqual([headers, 403])
    expect([headers, await post('/show', { ...BUTTON, ...headers })]).toEqual([headers, 403])
  }
  expect(await post('/show', { 'Sec-Fetch-Site': 'same-origin' })).toBe(403)
  expect(await post('/show', BUTTON)).toBe(403)
  expect(await files()).toEqual([])
  expect(starts).toBe(0)
})

test('a page of this server can, by whichever name of this machine it was opened', async () => {
  const { host, port } = new URL(demo.origin)
  for (const name of [host, `localhost:${port}`, `demo.localhost:${port}`, `[::1]:${port}`, hostname()]) {
    const headers = { ...BUTTON, Host: name, 'Sec-Fetch-Site': 'same-origin' }
    expect([name, await post('/show', headers)]).toEqual([name, 202])
  }
  // As from browsers that do not send Sec-Fetch-Site.
  expect(await post('/show', { ...BUTTON, Origin: demo.origin })).toBe(202)
  expect(starts).toBe(6)
})

test('the button starts nothing while an upload is shown, or when the server can show none', async () => {
  expect(await state()).toEqual({ state: 'ready' })
  isRunning = true
  expect(await state()).toEqual({ state: 'running' })
  const headers = { ...BUTTON, 'Sec-Fetch-Site': 'same-origin' }
  expect(await post('/show', headers)).toBe(409)
  const without = await startDemo()
  try {
    expect(await (await fetch(`${without.origin}/show`)).json()).toEqual({ state: 'unavailable' })
    expect((await fetch(`${without.origin}/show`, { method: 'POST', headers })).status).toBe(404)
  } finally {
    await without.stop()
  }
})
