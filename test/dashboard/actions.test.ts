import { expect, test } from '@jest/globals'
import { MemoryStorage } from 'express-bits-upload'
import { fixtures } from '../support/fixtures.js'
import { fragment, openSession } from '../support/raw.js'
import { contentOf } from '../support/upload-fixture.js'
import { startDashboard } from './support.js'

const { start, connect, afterwards } = fixtures()
const PATH = '/uploads/a.bin'
const FROM_PAGE = { 'x-bits-dashboard': '1', 'sec-fetch-site': 'same-origin' }

async function running(options: { actions?: boolean }) {
  const uploads = await start({ storage: new MemoryStorage(), sessionTimeout: 60 })
  const dashboard = await startDashboard(uploads.bits, options)
  afterwards(() => dashboard.stop())
  const connection = await connect(uploads)
  const id = await openSession(connection, PATH)
  expect((await connection.exchange(fragment(PATH, id, contentOf(1000), 0, 499))).status).toBe(200)
  const [session] = await uploads.bits.sessions()
  const post = (path: string, headers: Record<string, string>, method = 'POST') =>
    fetch(`${dashboard.origin}/live/${path}`, { method, headers })
  return { bits: uploads.bits, post, uploadId: session?.uploadId ?? '', origin: dashboard.origin }
}

test('without the option there are no actions', async () => {
  for (const options of [{}, { actions: false }]) {
    const { bits, post, uploadId } = await running(options)
    expect((await post(`cancel/${uploadId}`, FROM_PAGE)).status).toBe(404)
    expect((await post('sweep', FROM_PAGE)).status).toBe(404)
    expect(await bits.sessions()).toHaveLength(1)
  }
})

test('cancels an upload, once', async () => {
  const { bits, post, uploadId } = await running({ actions: true })
  const first = await post(`cancel/${uploadId}`, FROM_PAGE)
  expect([first.status, await first.json()]).toEqual([200, { result: 'cancelled' }])
  expect(await bits.sessions()).toEqual([])
  for (const path of ['cancel/..%2f..%2fx', `cancel/${'0'.repeat(32)}`]) {
    const other = await post(path, FROM_PAGE)
    expect([other.status, await other.json()]).toEqual([404, { result: 'not-found' }])
  }
  expect((await post('sweep', FROM_PAGE)).status).toBe(200)
})

test('a request that does not come from the page changes nothing', async () => {
  const { bits, post, uploadId, origin } = await running({ actions: true })
  const custom = { 'x-bits-dashboard': '1' }
  const wrong: Record<string, string>[] = [
    {},
    custom,
    { 'sec-fetch-site': 'same-origin' },
    { ...custom, 'sec-fetch-site': 'cross-site' },
    { ...custom, 'sec-fetch-site': 'same-site', origin },
    { ...custom, 'sec-fetch-site': 'none' },
    { ...custom, origin: 'null' },
    { ...custom, origin: 'http://evil.example' },
    { ...custom, origin: `${origin}.evil.example` },
    { ...custom, origin: origin.replace('http:', 'https:') },
    { ...custom, origin: 'http://evil.example', 'x-forwarded-host': 'evil.example' },
  ]
  for (const headers of wrong) {
    const statuses = [
      (await post(`cancel/${uploadId}`, headers)).status,
      (await post('sweep', headers)).status,
    ]
    expect([headers, statuses]).toEqual([headers, [403, 403]])
  }
  for (const method of ['GET', 'PUT', 'DELETE']) {
    expect((await post(`cancel/${uploadId}`, FROM_PAGE, method)).status).toBe(404)
  }
  expect(await bits.sessions()).toHaveLength(1)
  // As over plain http, where browsers do not send Sec-Fetch-Site.
  expect((await post(`cancel/${uploadId}`, { ...custom, origin })).status).toBe(200)
})
