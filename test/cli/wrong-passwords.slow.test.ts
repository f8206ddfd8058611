import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, test } from '@jest/globals'
import { authenticateBy } from '../../lib/cli/serve/authenticate.js'
import { HtpasswdFile } from '../../lib/cli/serve/passwords/htpasswd-file.js'
import { PasswordGate } from '../../lib/cli/serve/passwords/password-gate.js'
import { PasswordWorkers } from '../../lib/cli/serve/passwords/password-workers.js'
import { fixtures } from '../support/fixtures.js'
import { PROTOCOL, packet } from '../support/raw.js'
import { sendWrongPasswords } from '../support/wrong-passwords.js'

const { start, connect, directory, afterwards } = fixtures()

const PASSWORD = 'pässwörd €'
/** The hash of {@link PASSWORD}: bcrypt with cost 10. */
const HASH = '$2y$10$mMG5hPS1499/FkiuCyzrauFmrjwH/8wtfcvBaCxIxrzMet1qjtC1e'
const USERS = Array.from({ length: 12 }, (_, n) => `user-${n}`)

/** A server with 12 users, and the durations of their first Create-Session packets. */
async function startServer() {
  const folder = await directory()
  const file = join(folder, 'users')
  await writeFile(file, USERS.map((user) => `${user}:${HASH}\n`).join(''))
  const workers = await PasswordWorkers.start(1)
  afterwards(() => workers.close())
  const user = authenticateBy(await HtpasswdFile.open(file), new PasswordGate(workers), 'test')
  const server = await start({ directory: join(folder, 'in'), user }, { mount: '/' })
  // Waits until the thread has started.
  await workers.matches(HASH, '')
  const checkTime = await timed(() => workers.matches(HASH, PASSWORD))
  const unseen = USERS.values()
  return {
    server,
    checkTime,
    /** Milliseconds. */
    async create(user = unseen.next().value ?? ''): Promise<number> {
      const connection = await connect(server)
      return timed(async () => {
        const ack = await connection.exchange(
          packet('Create-Session', `/${user}.bin`, {
            'BITS-Supported-Protocols': PROTOCOL,
            Authorization: `Basic ${Buffer.from(`${user}:${PASSWORD}`).toString('base64')}`,
          }),
        )
        expect(ack.status).toBe(200)
      })
    },
  }
}

async function timed(work: () => Promise<unknown>): Promise<number> {
  const start = performance.now()
  await work()
  return performance.now() - start
}

const median = (values: readonly number[]): number =>
  values.toSorted((a, b) => a - b)[values.length >> 1] ?? 0

describe('while 50 connections send wrong passwords', () => {
  test('from other addresses, users wait for at most one more check', async () => {
    const { server, create, checkTime } = await startServer()
    const normal = median([await create(), await create(), await create()])
    const attack = sendWrongPasswords({
      port: server.port,
      connections: 50,
      addressOf: (n) => `127.0.1.${n + 1}`,
      userOf: (n) => (n % 2 === 0 ? `nobody-${n}` : 'user-5'),
    })
    afterwards(() => attack.stop())
    // Until all of them wait for a check, and some have been answered and have come again.
    await attack.sent(54)
    const first: number[] = []
    for (let n = 0; n < 5; n++) first.push(await create())
    // The scheduling of a busy machine is not the subject of this test.
    expect(median(first)).toBeLessThan(2 * normal + checkTime + 50)
    // Further packets of an authenticated user need no check at all.
    const again = await create('user-3')
    expect(again).toBeLessThan(2 * normal + checkTime + 50)
    expect(attack.answers.get(200)).toBeUndefined()
  })

  test.each([
    ['other names', (n: number) => `nobody-${n}`],
    ['the name of a user', () => 'user-0'],
  ])('from the address of a user, with %s, the user is accepted within two seconds', async (_, userOf) => {
    const { server, create } = await startServer()
    const attack = sendWrongPasswords({
      port: server.port,
      connections: 50,
      addressOf: () => '127.0.0.1',
      userOf,
    })
    afterwards(() => attack.stop())
    await attack.sent(54)
    for (let n = 0; n < 3; n++) expect(await create()).toBeLessThan(2000)
    expect(attack.answers.get(200)).toBeUndefined()
  })
})
