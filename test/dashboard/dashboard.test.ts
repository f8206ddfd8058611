import { createHash } from 'node:crypto'
import { afterEach, beforeEach, describe, expect, jest, test } from '@jest/globals'
import { MemoryStorage } from 'express-bits-upload'
import { bitsDashboard } from 'express-bits-upload/dashboard'
import { fixtures } from '../support/fixtures.js'
import { fragment, openSession } from '../support/raw.js'
import { contentOf } from '../support/upload-fixture.js'
import {
  listen,
  type SimulatedBits,
  session,
  simulateBits,
  startDashboard,
  until,
  uploaded,
} from './support.js'

const { start, connect, afterwards } = fixtures()
const FILE = contentOf(100_000)

/** Pages get an update every 100 milliseconds instead of every second. */
beforeEach(() => {
  const { setInterval } = globalThis
  jest
    .spyOn(globalThis, 'setInterval')
    .mockImplementation((update: () => void, interval = 0) => setInterval(update, interval / 10))
})
afterEach(() => void jest.restoreAllMocks())

/** A server with uploads and a dashboard. */
async function running() {
  const uploads = await start({ storage: new MemoryStorage(), hash: 'sha256' })
  const dashboard = await startDashboard(uploads.bits, { files: '/uploads/' })
  afterwards(() => dashboard.stop())
  return { uploads, live: `${dashboard.origin}/live` }
}

async function simulated(prepare: (simulation: SimulatedBits) => void = () => {}) {
  const simulation = simulateBits()
  prepare(simulation)
  const dashboard = await startDashboard(simulation.bits)
  afterwards(() => dashboard.stop())
  return { ...simulation, live: `${dashboard.origin}/live` }
}

const list = async (live: string, query: Record<string, string> = {}) =>
  (await (await fetch(`${live}/sessions?${new URLSearchParams(query)}`)).json()) as {
    sessions: { name: string; user?: string; state: string }[]
    matches: number
    page: number
    pages: number
  }

describe('the event stream', () => {
  test('shows a session from its first fragment to its end, and no secret', async () => {
    const { uploads, live } = await running()
    const events = listen(`${live}/events`)
    const snapshot = await until(events, () => true)
    expect(snapshot).toMatchObject({
      name: 'snapshot',
      data: { sessions: [], ended: [], totals: { active: 0, waiting: 0, rate: 0, files: 0, bytes: 0 } },
    })
    expect(snapshot.data.throughput.bytes).toEqual(Array(120).fill(0))
    const connection = await connect(uploads)
    const id = await openSession(connection, '/uploads/a%20b.bin')
    connection.write(fragment('/uploads/a%20b.bin', id, FILE, 0, 39_999))
    expect((await connection.ack()).status).toBe(200)
    const shown = await until(events, ({ data }) => JSON.stringify(data.sessions).includes('40000'))
    expect(shown.data).toMatchObject({ totals: { active: 1, waiting: 0 } })
    const { sessions: listed } = await list(live)
    expect(listed).toMatchObject([{ name: 'a b.bin', address: '127.0.0.1', fragmentSize: 40_000 }])
    connection.write(fragment('/uploads/a%20b.bin', id, FILE, 40_000))
    expect((await connection.ack()).status).toBe(200)
    const end = await until(events, ({ data }) => data.ended.length > 0)
    expect(end.data).toMatchObject({
      ended: [
        {
          name: 'a b.bin',
          outcome: 'uploaded',
          received: 100_000,
          href: '/uploads/a%20b.bin',
          digest: `sha256:${createHash('sha256').update(FILE).digest('hex')}`,
        },
      ],
      totals: { active: 0, files: 1, bytes: 100_000 },
    })
    const bars = end.data.throughput.bytes
    expect(bars.reduce((sum, bar) => sum + bar)).toBe(100_000)
    expect(JSON.stringify([shown, end]).toLowerCase()).not.toContain(id.replace(/[{}]/g, '').toLowerCase())
    // A page that opens later sees the same.
    const later = listen(`${live}/events`)
    expect((await until(later, () => true)).data).toMatchObject({
      ended: [{ name: 'a b.bin' }],
      totals: { files: 1 },
    })
    for (const each of [events, later]) await each.return(undefined)
  })

  test('shows cancelled, expired, refused and failed uploads', async () => {
    const { sessions, emit, live } = await simulated()
    const [one, two, three] = [session('one'), session('two'), session('three')]
    for (const each of [one, two, three]) sessions.set(each.uploadId, each)
    const events = listen(`${live}/events`)
    await until(events, () => true)
    emit('cancelled', one)
    emit('expired', two)
    emit('error', new Error('secret path /srv'), { uploadId: three.uploadId })
    emit('refused', session('four'), { status: 403, message: 'secret reason' })
    emit('refused', session('five'), { status: 503, message: 'secret reason' })
    const { data } = await until(events, (message) => message.data.ended.length > 0)
    expect(data.ended).toMatchObject([
      { name: 'five', outcome: 'failed' },
      { name: 'four', outcome: 'refused' },
      { name: 'three', outcome: 'failed' },
      { name: 'two', outcome: 'expired' },
      { name: 'one', outcome: 'cancelled' },
    ])
    expect(JSON.stringify(data)).not.toContain('secret')
    // The client of a failed upload retries.
    expect(data.totals).toMatchObject({ active: 1 })
    await events.return(undefined)
  })

  test('sends only the changes of a known session, and says which are no longer active', async () => {
    const { sessions, emit, live } = await simulated()
    const one = session('one', { total: 1000, received: 100, user: 'ada' })
    sessions.set(one.uploadId, one)
    const events = listen(`${live}/events`)
    expect((await until(events, () => true)).data.sessions).toMatchObject([{ name: 'one', user: 'ada' }])
    emit('progress', { ...one, received: 200 })
    const { data } = await until(events, (message) => message.data.sessions.length > 0)
    expect(data.sessions).toEqual([{ uploadId: one.uploadId, received: 200, heard: expect.any(Number) }])
    emit('cancelled', one)
    const end = await until(events, ({ data }) => (data.gone ?? []).length > 0)
    expect(end.data.gone).toEqual([one.uploadId])
    await events.return(undefined)
  })

  test('ends when the dashboard is closed, and new pages are refused', async () => {
    const { bits } = simulateBits()
    const dashboard = await startDashboard(bits)
    const events = listen(`${dashboard.origin}/live/events`)
    await until(events, () => true)
    await dashboard.stop()
    expect((await events.next().catch(() => ({ done: true }))).done).toBe(true)
  })

  test('reports that the sessions cannot be listed, and still shows what arrives', async () => {
    const simulation = simulateBits()
    const failing = Object.assign(simulation.bits, { sessions: () => Promise.reject(new Error('down')) })
    const dashboard = await startDashboard(failing)
    afterwards(() => dashboard.stop())
    const events = listen(`${dashboard.origin}/live/events`)
    expect((await until(events, () => true)).data.totals).toMatchObject({ unlisted: true })
    simulation.emit('progress', session('one'))
    const { data } = await until(events, (message) => message.data.sessions.length > 0)
    expect(data.sessions).toMatchObject([{ name: 'one' }])
    await events.return(undefined)
  })

  test('limits the number of pages', async () => {
    const { live } = await simulated()
    const stop = new AbortController()
    const open = () => fetch(`${live}/events`, { signal: stop.signal })
    const pages = await Promise.all(Array.from({ length: 200 }, open))
    expect(new Set(pages.map(({ status }) => status))).toEqual(new Set([200]))
    const refused = await open()
    expect([refused.status, refused.headers.get('retry-after')]).toEqual([503, '10'])
    stop.abort()
    const again = async () => {
      const response = await fetch(`${live}/events`)
      await response.body?.cancel()
      return response.status
    }
    while ((await again()) !== 200) await new Promise((resolve) => setTimeout(resolve, 20))
  })
})

describe('the list of open sessions', () => {
  const waiting = (name: string, user?: string) => session(name, { age: 60_000, user })

  test('has pages, latest activity first', async () => {
    const { live } = await simulated(({ sessions }) => {
      for (let n = 0; n < 60; n += 1) {
        const each = session(`${n}.bin`, { age: 60_000 + n * 1000 })
        sessions.set(each.uploadId, each)
      }
    })
    const first = await list(live, { state: 'waiting' })
    expect(first).toMatchObject({ matches: 60, page: 1, pages: 3 })
    expect(first.sessions.map(({ name }) => name)).toEqual(Array.from({ length: 25 }, (_, n) => `${n}.bin`))
    expect((await list(live, { page: '3' })).sessions).toHaveLength(10)
    for (const page of ['4', '1e9', '-1', 'x', '']) {
      const { sessions, page: shown } = await list(live, { page })
      expect([page, sessions.length > 0, shown >= 1 && shown <= 3]).toEqual([page, true, true])
    }
  })

  test('is filtered by name and by user, and by state', async () => {
    const { live } = await simulated(({ sessions }) => {
      for (const each of [waiting('logs/A.bin', 'ada'), waiting('b.bin', 'Bob'), session('c.bin')]) {
        sessions.set(each.uploadId, each)
      }
    })
    const names = async (query: Record<string, string>) =>
      (await list(live, query)).sessions.map(({ name }) => name).sort()
    expect(await names({})).toEqual(['b.bin', 'c.bin', 'logs/A.bin'])
    expect(await names({ state: 'waiting' })).toEqual(['b.bin', 'logs/A.bin'])
    expect(await names({ state: 'active' })).toEqual(['c.bin'])
    expect(await names({ filter: 'a.BIN' })).toEqual(['logs/A.bin'])
    expect(await names({ filter: 'bob' })).toEqual(['b.bin'])
    expect(await names({ filter: '.*' })).toEqual([])
    expect((await fetch(`${live}/sessions?filter[a]=b&filter=c&page=1&page=2`)).status).toBe(200)
  })

  test('leaves out uploads that are published', async () => {
    const done = session('done', { state: 'published' })
    const { emit, live } = await simulated(({ sessions }) => void sessions.set(done.uploadId, done))
    expect((await list(live)).matches).toBe(0)
    emit('progress', done)
    expect((await list(live)).matches).toBe(0)
  })
})

describe('a list of several bitsUpload()', () => {
  test('shares one page: names have a prefix, and links lead to the files of each', async () => {
    const [one, two] = [simulateBits(), simulateBits()]
    const dashboard = await startDashboard([
      { bits: one.bits, prefix: 'evidence/', files: '/evidence' },
      { bits: two.bits },
    ])
    afterwards(() => dashboard.stop())
    const live = `${dashboard.origin}/live`
    for (const { sessions } of [one, two]) {
      const open = session('open.bin')
      sessions.set(open.uploadId, open)
    }
    const events = listen(`${live}/events`)
    expect((await until(events, () => true)).data.totals).toMatchObject({ active: 2, unlisted: false })
    expect((await list(live)).sessions.map(({ name }) => name).sort()).toEqual([
      'evidence/open.bin',
      'open.bin',
    ])
    one.emit('uploaded', uploaded('a b', 5))
    two.emit('uploaded', uploaded('c', 6))
    const { data } = await until(events, (message) => message.data.ended.length > 0)
    expect(data).toMatchObject({
      totals: { files: 2, bytes: 11 },
      ended: [{ name: 'c' }, { name: 'evidence/a b', href: '/evidence/a%20b' }],
    })
    expect(data.ended[0]).not.toHaveProperty('href')
    await events.return(undefined)
  })

  test('shows the others when one cannot list its sessions', async () => {
    const [one, two] = [simulateBits(), simulateBits()]
    const open = session('open.bin')
    two.sessions.set(open.uploadId, open)
    one.bits.sessions = () => Promise.reject(new Error('no connection'))
    const dashboard = await startDashboard([{ bits: one.bits }, { bits: two.bits }])
    afterwards(() => dashboard.stop())
    const events = listen(`${dashboard.origin}/live/events`)
    const { data } = await until(events, () => true)
    expect(data).toMatchObject({ totals: { active: 1, unlisted: true }, sessions: [{ name: 'open.bin' }] })
    await events.return(undefined)
  })

  test('cancels an upload of any of them, and cleans up all', async () => {
    const [one, two] = [simulateBits(), simulateBits()]
    const open = session('open.bin')
    two.sessions.set(open.uploadId, open)
    one.bits.cancel = () => Promise.reject(new Error('no connection'))
    const swept: number[] = []
    for (const [index, { bits }] of [one, two].entries()) bits.sweep = async () => void swept.push(index)
    const dashboard = await startDashboard([{ bits: one.bits }, { bits: two.bits }], { actions: true })
    afterwards(() => dashboard.stop())
    const headers = { 'x-bits-dashboard': '1', 'sec-fetch-site': 'same-origin' }
    const post = async (path: string) =>
      (await fetch(`${dashboard.origin}/live/${path}`, { method: 'POST', headers })).status
    expect(await post(`cancel/${open.uploadId}`)).toBe(200)
    // The first one may have it: that differs from "not found".
    expect(await post(`cancel/${open.uploadId}`)).toBe(500)
    expect([await post('sweep'), swept]).toEqual([200, [0, 1]])
  })

  test('refuses lists that are wrong', () => {
    const { bits } = simulateBits()
    const wrong: [unknown, object, string][] = [
      [[{ bits: {} }], {}, 'bits'],
      [[{}], {}, 'bits'],
      [[{ bits, prefix: 1 }], {}, 'prefix is 1'],
      [[{ bits, files: 'x' }], {}, 'files'],
      [[{ bits, name: 'x' }], {}, 'there is no option "name"'],
      [[{ bits }], { files: '/uploads' }, 'set "files" for each'],
    ]
    for (const [sources, options, problem] of wrong)
      expect(() => Reflect.apply(bitsDashboard, undefined, [sources, options])).toThrow(problem)
  })
})

describe('bitsDashboard()', () => {
  test('shows names with control characters escaped, and long ones shortened', async () => {
    const { sessions, live } = await simulated()
    const odd = session(`a\u202egpj\u0007${'x'.repeat(2000)}end.exe`, { user: '<b>\u001b[2J' })
    sessions.set(odd.uploadId, odd)
    const {
      sessions: [shown],
    } = await list(live)
    expect(shown?.name).toMatch(/^a\\u202egpj\\x07x+…x+end\.exe$/)
    expect(shown?.name.length).toBeLessThanOrEqual(120)
    expect(shown?.user).toBe('<b>\\x1b[2J')
  })

  test('allows only its own scripts and styles', async () => {
    const { live } = await running()
    const page = await fetch(`${live}/`)
    expect(page.headers.get('content-security-policy')).toBe(
      "default-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    )
    expect(page.headers.get('x-content-type-options')).toBe('nosniff')
  })

  test('refuses unknown options, links that could run a script, and anything that is not a bitsUpload()', () => {
    const { bits } = simulateBits()
    const wrong: [object, string][] = [
      [{ file: '/uploads' }, 'bitsDashboard: there is no option "file"'],
      [{ files: 'javascript:alert(1)' }, 'files'],
      [{ files: '//elsewhere' }, 'files'],
      [{ files: 1 }, 'files'],
    ]
    for (const [options, problem] of wrong) expect(() => bitsDashboard(bits, options)).toThrow(problem)
    expect(() => Reflect.apply(bitsDashboard, undefined, [{}])).toThrow('what bitsUpload() returned')
    for (const files of ['/uploads', '/', 'https://files.example.com/x'])
      bitsDashboard(bits, { files }).close()
  })
})
