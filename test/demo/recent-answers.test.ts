import { afterEach, beforeEach, expect, test } from '@jest/globals'
import { uploadFile } from 'express-bits-upload/client'
import { type RunningDemo, startDemo } from './support.js'

let demo: RunningDemo
beforeEach(async () => {
  demo = await startDemo()
})
afterEach(() => demo.stop())

const answers = async (): Promise<unknown> => (await fetch(`${demo.origin}/answers`)).json()

test('the replies and refusals of the server application are listed, latest last', async () => {
  expect(await answers()).toEqual([])
  await uploadFile(await demo.write('source', 'a,b\n1,2\n'), `${demo.origin}/uploads/good.csv`)
  const bad = uploadFile(await demo.write('bad', '<a>'), `${demo.origin}/uploads/bad.xml`, { retries: 0 })
  await expect(bad).rejects.toMatchObject({ status: 400 })
  expect(await answers()).toEqual([
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
})

test('only the last ten answers are kept', async () => {
  const source = await demo.write('source', 'a,b\n')
  for (let n = 0; n < 12; n += 1) await uploadFile(source, `${demo.origin}/uploads/${n}.csv`)
  expect(await answers()).toEqual(
    Array.from({ length: 10 }, (_, n) => expect.objectContaining({ name: `${n + 2}.csv` })),
  )
})
