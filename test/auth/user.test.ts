import { describe, expect, test } from '@jest/globals'
import { type BitsUploadOptions, MemoryStorage } from 'express-bits-upload'
import { ask, replyPath, upload } from '../delivery/support.js'
import { expectAck, expectUsable } from '../support/expect-ack.js'
import { fixtures } from '../support/fixtures.js'
import { createSession, fragment, openSession } from '../support/raw.js'
import { contentOf } from '../support/upload-fixture.js'

const { start, connect, directory } = fixtures()

const PATH = '/uploads/file.bin'
const FILE = contentOf(1000)
const FAILED = { status: 500, error: '0x80004005' }

describe('the option user: null means anonymous, like undefined,', () => {
  test.each([
    ['at once', () => null],
    ['later', async () => null],
  ] satisfies [string, BitsUploadOptions['user']][])(
    'returned %s: does not count as a user with a limit',
    async (_, user) => {
      const connection = await connect(await start({ storage: new MemoryStorage(), user }))
      for (let n = 0; n < 60; n++) await openSession(connection, PATH)
    },
  )

  test.each([
    [null, null],
    [null, undefined],
    [undefined, null],
  ])('and continues after a restart (%p before, %p afterwards)', async (earlier, later) => {
    const root = await directory()
    const first = await start({ directory: root, user: () => earlier })
    const connection = await connect(first)
    const id = await openSession(connection, PATH)
    const half = await connection.exchange(fragment(PATH, id, FILE, 0, 499))
    expectAck(half, { status: 200, session: id, offset: 500 })
    await first.stop()
    const second = await start({ directory: root, user: () => later })
    expect((await second.bits.sessions()).map(({ user }) => user)).toEqual([undefined])
    const ack = await (await connect(second)).exchange(fragment(PATH, id, FILE, 500))
    expectAck(ack, { status: 200, session: id, offset: 1000 })
  })

  test('and the client gets its reply', async () => {
    const running = await start({ storage: new MemoryStorage(), user: () => null, onUpload: () => 'thanks' })
    const { ack } = await upload(await connect(running), PATH, FILE)
    expect(String((await ask(running, replyPath(PATH, ack))).body)).toBe('thanks')
  })
})

describe('the option user: anything other than a string, null or undefined is refused, and reported by its type only:', () => {
  const answers: [type: string, answer: unknown][] = [
    ['number', 8_675_309],
    ['bigint', 8_675_309n],
    ['boolean', false],
    ['object', { id: 8_675_309, toString: () => '8675309' }],
    ['object', ['8675309']],
    ['function', () => '8675309'],
    ['symbol', Symbol('8675309')],
  ]
  const unchecked = (user: () => unknown) => ({ storage: new MemoryStorage(), user }) as BitsUploadOptions

  describe.each(answers)('%s', (type, answer) => {
    test.each([
      ['at once', () => answer],
      ['later', async () => answer],
    ])('returned %s', async (_, user) => {
      const running = await start(unchecked(user))
      const errors: Error[] = []
      running.bits.on('error', (error) => errors.push(error))
      const connection = await connect(running)
      expectAck(await connection.exchange(createSession(PATH)), FAILED)
      expect(errors).toEqual([expect.any(TypeError)])
      const sentence = `the option user returned a value of type ${type}: use a string, or undefined or null for`
      expect(errors[0]?.message).toContain(sentence)
      const log = running.logger.lines.join('\n')
      expect(log).toContain(sentence)
      expect(log).not.toContain('8675309')
      expect(await running.bits.sessions()).toEqual([])
    })
  })

  test('for the packets of a session, which continues when the answer is valid again', async () => {
    let answer: unknown = 'ann'
    const connection = await connect(await start(unchecked(() => answer)))
    const id = await openSession(connection, PATH)
    answer = 7
    const refused = await connection.exchange(fragment(PATH, id, FILE))
    expectAck(refused, { ...FAILED, session: id })
    answer = 'ann'
    await expectUsable(connection)
    const ack = await connection.exchange(fragment(PATH, id, FILE))
    expectAck(ack, { status: 200, session: id, offset: 1000 })
  })

  test('for a reply', async () => {
    let answer: unknown = 'ann'
    const running = await start({ ...unchecked(() => answer), onUpload: () => 'thanks' })
    const { ack } = await upload(await connect(running), PATH, FILE)
    answer = 7
    expect((await ask(running, replyPath(PATH, ack))).status).toBe(500)
    expect(running.logger.lines.join()).toContain('the option user returned a value of type number')
  })
})
