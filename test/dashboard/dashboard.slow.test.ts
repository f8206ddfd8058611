import { expect, test } from '@jest/globals'
import { bitsUpload, MemorySessionStore, MemoryStorage } from 'express-bits-upload'
import { fixtures } from '../support/fixtures.js'
import { fragment, openSession } from '../support/raw.js'
import { RecordingLogger } from '../support/serve.js'
import { contentOf } from '../support/upload-fixture.js'
import { listen, type Message, session, simulateBits, startDashboard, until, uploaded } from './support.js'

const { start, connect, afterwards } = fixtures()
const FILE = contentOf(100_000)

test('uploads to another machine are shown, with a rate, if the machines share a store', async () => {
  const sessionStore = new MemorySessionStore()
  const storage = new MemoryStorage()
  const other = await start({ sessionStore, storage })
  const here = bitsUpload({ sessionStore, storage, logger: new RecordingLogger() })
  afterwards(() => here.close())
  const dashboard = await startDashboard(here)
  afterwards(() => dashboard.stop())
  const connection = await connect(other)
  const id = await openSession(connection, '/uploads/a.bin')
  const send = async (first: number, last: number) => {
    connection.write(fragment('/uploads/a.bin', id, FILE, first, last))
    expect((await connection.ack()).status).toBe(200)
    const [{ uploadId = '' } = {}] = await other.bits.sessions()
    await sessionStore.update(uploadId, () => ({ received: last + 1, lastActivity: Date.now() }))
  }
  await send(0, 9_999)
  const events = listen(`${dashboard.origin}/live/events`)
  const snapshot = await until(events, () => true)
  expect(snapshot.data.sessions).toMatchObject([{ name: 'a.bin', received: 10_000, rate: 0 }])
  await send(10_000, 59_999)
  const grown = await until(events, ({ data }) => data.sessions.length > 0)
  expect(grown.data.sessions).toMatchObject([{ received: 60_000, rate: expect.any(Number) }])
  expect(grown.data.sessions[0]?.rate).toBeGreaterThan(0)
  expect(grown.data.totals.rate).toBe(grown.data.sessions[0]?.rate)
  await events.return(undefined)
}, 60_000)

test('10,000 sessions that all make progress cost a viewer less than 20 KB a second', async () => {
  const { bits, sessions, emit } = simulateBits()
  for (let n = 0; n < 10_000; n += 1) {
    const each = session(`${'名'.repeat(300)}${n}`, {
      user: 'u'.repeat(200),
      total: 1e12,
      received: 1e9,
      address: '2001:db8:85a3:1234:5678:8a2e:370:7334',
      fragmentSize: 20e6,
    })
    sessions.set(each.uploadId, each)
  }
  const dashboard = await startDashboard(bits)
  afterwards(() => dashboard.stop())
  const live = `${dashboard.origin}/live`
  let received = 0
  const events = listen(`${live}/events`, (count) => {
    received += count
  })
  await until(events, () => true)
  const messages: Message[] = []
  const all = [...sessions.values()]
  received = 0
  const begin = performance.now()
  const busy = process.cpuUsage()
  for (let turn = 1; turn <= 5; turn += 1) {
    for (const [index, each] of all.entries()) {
      emit('progress', { ...each, received: 1e9 + turn * (1e6 + index), rate: 1e6 + index * turn })
      // Including small files that come and go quickly.
      if (index % 200 === 0) emit('uploaded', uploaded('名'.repeat(300), 5))
    }
    messages.push(await until(events, () => true))
  }
  const seconds = (performance.now() - begin) / 1000
  const cpu = process.cpuUsage(busy)
  const perSecond = received / Math.max(seconds, messages.length)
  if (process.env.SHOW_FIGURES) {
    console.info({ perSecond, cpuShare: (cpu.user + cpu.system) / 1e6 / seconds })
  }
  expect(messages.at(-1)?.data.totals).toMatchObject({ active: 10_000 })
  expect(perSecond).toBeLessThan(20_000)
  const page = await fetch(`${live}/sessions`)
  // The page reads the list every five seconds.
  expect((await page.arrayBuffer()).byteLength / 5).toBeLessThan(5_000)
  await events.return(undefined)
}, 60_000)
