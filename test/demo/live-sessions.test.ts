import { setTimeout as sleep } from 'node:timers/promises'
import { afterEach, beforeEach, expect, test } from '@jest/globals'
import { uploadFile } from 'express-bits-upload/client'
import { openLine } from '../../demo/cut-connection.js'
import { type RunningDemo, startDemo } from './support.js'

interface Event {
  readonly name: string
  readonly data: unknown
}

let demo: RunningDemo
beforeEach(async () => {
  demo = await startDemo({ users: { ada: 'secret' } })
})
afterEach(() => demo.stop())

/** The events of the stream, until it ends. */
async function* listen(): AsyncGenerator<Event> {
  const response = await fetch(`${demo.origin}/events`)
  expect(response.headers.get('content-type')).toMatch(/^text\/event-stream/)
  let text = ''
  for await (const chunk of (response.body ?? new ReadableStream()).pipeThrough(new TextDecoderStream())) {
    text += chunk
    const messages = text.split('\n\n')
    text = messages.pop() ?? ''
    for (const message of messages) {
      const [, name, data] = /^event: (.*)\ndata: (.*)$/.exec(message) ?? []
      if (name && data) yield { name, data: JSON.parse(data) }
    }
  }
}

async function next(events: AsyncGenerator<Event>): Promise<Event> {
  const { value } = await events.next()
  if (!value) throw new Error('The stream has ended.')
  return value
}

test('a page sees a session from its beginning to its end, and then the files change', async () => {
  const events = listen()
  expect(await next(events)).toEqual({ name: 'snapshot', data: [] })
  const source = await demo.write('source', Buffer.alloc(100_000))
  await uploadFile(source, `http://ada:secret@127.0.0.1:${demo.port}/uploads/a.bin`, { fragmentSize: 50_000 })
  const seen: Event[] = []
  while (seen.at(-1)?.name !== 'files') seen.push(await next(events))
  const sessions = seen.filter(({ name }) => name === 'session').map(({ data }) => data)
  const a = { name: 'a.bin', who: 'ada' }
  expect(sessions[0]).toMatchObject({ ...a, state: 'receiving', received: 0 })
  expect(sessions).toContainEqual(
    expect.objectContaining({ ...a, state: 'receiving', received: 50_000, total: 100_000 }),
  )
  expect(sessions.at(-1)).toMatchObject({ ...a, state: 'published', received: 100_000 })
  await events.return(undefined)
})

test('a page that opens later sees what is under way, then its cancellation', async () => {
  const source = await demo.write('source', Buffer.alloc(1_000_000))
  const line = await openLine({ host: '127.0.0.1', port: demo.port }, 200_000)
  const stop = new AbortController()
  const uploading = uploadFile(source, `http://127.0.0.1:${line.port}/uploads/b.bin`, {
    fragmentSize: 10_000,
    signal: stop.signal,
  }).catch(() => {})
  await sleep(500)
  const events = listen()
  const { name, data } = await next(events)
  expect(name).toBe('snapshot')
  expect(data).toEqual([
    expect.objectContaining({ name: 'b.bin', state: 'receiving', total: 1_000_000, who: 'guest' }),
  ])
  stop.abort()
  let last = await next(events)
  while (JSON.stringify(last).includes('receiving')) last = await next(events)
  expect(last).toMatchObject({ name: 'session', data: { name: 'b.bin', state: 'cancelled' } })
  await uploading
  await line.close()
  await events.return(undefined)
})

test('a page sees what the server application says, and one that opens later sees it too', async () => {
  const events = listen()
  await next(events)
  await uploadFile(await demo.write('source', 'a,b\n1,2\n'), `${demo.origin}/uploads/good.csv`)
  const bad = uploadFile(await demo.write('bad', '<a>'), `${demo.origin}/uploads/bad.xml`, { retries: 0 })
  await expect(bad).rejects.toMatchObject({ status: 400 })
  const seen: Event[] = []
  while (!JSON.stringify(seen.at(-1))?.includes('"state":"refused","who"')) seen.push(await next(events))
  const answers = seen.filter(({ name }) => name === 'answer')
  expect(answers.map(({ data }) => data)).toEqual([
    expect.objectContaining({
      name: 'good.csv',
      state: 'replied',
      text: expect.stringContaining('"columns": 2'),
    }),
    expect.objectContaining({
      name: 'bad.xml',
      state: 'refused',
      text: expect.stringContaining('unclosed tag'),
    }),
  ])
  const later = listen()
  expect((await next(later)).data).toEqual([expect.objectContaining({ name: 'bad.xml', state: 'refused' })])
  expect([await next(later), await next(later)]).toEqual(answers)
  for (const stream of [events, later]) await stream.return(undefined)
})

test('of many answers the last ten are kept, and what was refused stays refused', async () => {
  const bad = uploadFile(await demo.write('bad', '<a>'), `${demo.origin}/uploads/old.xml`, { retries: 0 })
  await expect(bad).rejects.toMatchObject({ status: 400 })
  const source = await demo.write('source', 'a,b\n')
  for (let n = 0; n < 12; n += 1) await uploadFile(source, `${demo.origin}/uploads/${n}.csv`)
  const events = listen()
  expect((await next(events)).data).toEqual([expect.objectContaining({ name: 'old.xml', state: 'refused' })])
  const names: unknown[] = []
  while (names.length < 10) names.push((await next(events)).data)
  expect(names).toEqual(
    Array.from({ length: 10 }, (_, n) => expect.objectContaining({ name: `${n + 2}.csv` })),
  )
  await events.return(undefined)
})

test('no session id is told', async () => {
  const events = listen()
  await next(events)
  const source = await demo.write('source', 'x')
  const { sessionId } = await uploadFile(source, `${demo.origin}/uploads/c.bin`)
  const told = JSON.stringify([await next(events), await next(events), await next(events)])
  expect(told).toContain('c.bin')
  expect(told.toLowerCase()).not.toContain(sessionId.replace(/[{}]/g, '').toLowerCase())
  await events.return(undefined)
})

test('the streams end when the server stops, so that it can', async () => {
  const events = listen()
  await next(events)
  await demo.stop()
  const end = await events.next().catch(() => ({ done: true }))
  expect(end.done).toBe(true)
  demo = await startDemo()
})
