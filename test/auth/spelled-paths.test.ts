import { expect, test } from '@jest/globals'
import { MemoryStorage } from 'express-bits-upload'
import { expectAck } from '../support/expect-ack.js'
import { fixtures } from '../support/fixtures.js'
import { createSession } from '../support/raw.js'

const { start, connect } = fixtures()

const SPELLINGS = [
  '/uploads/private/x',
  '/uploads/private%2Fx',
  '/uploads/%70rivate/x',
  '/uploads//private/x',
  '/uploads/private//x',
  '/uploads/private/x?/../../public',
]

test('authorize gets one path for all spellings, which bypass middleware on a sub-path', async () => {
  const asked: string[] = []
  const passed: string[] = []
  const running = await start(
    {
      storage: new MemoryStorage(),
      authorize: (_req, destination) => {
        asked.push(destination)
        return !destination.startsWith('private/')
      },
    },
    {
      before: (app) => {
        app.use('/uploads/private', (_req, res) => void res.status(403).end())
        app.use((req, _res, next) => {
          passed.push(req.url)
          next()
        })
      },
    },
  )
  const connection = await connect(running)
  for (const url of SPELLINGS) {
    const ack = await connection.exchange(createSession(url))
    if (passed.at(-1) === url) expectAck(ack, { status: 403, error: '0x80070005' })
    else expect(ack.status).toBe(403)
  }
  expect(passed).toEqual(expect.arrayContaining(['/uploads/private%2Fx', '/uploads//private/x']))
  expect(new Set(asked)).toEqual(new Set(['private/x']))
})
