import { expect, test } from '@jest/globals'
import { BitsError, MemoryStorage } from 'express-bits-upload'
import { fixtures } from '../support/fixtures.js'
import { createSession } from '../support/raw.js'

const { start, connect } = fixtures()

test('an Ack that cannot be written ends the connection, and is reported', async () => {
  const running = await start({
    storage: new MemoryStorage(),
    authorize() {
      throw new BitsError({ status: 401, headers: { 'WWW-Authenticate': 'a\nb' } }, 'No credentials.')
    },
  })
  const connection = await connect(running)
  connection.write(createSession('/uploads/a'))
  await connection.closed()
  expect(running.logger.lines.join()).toContain('error: BITS upload: TypeError')
})
