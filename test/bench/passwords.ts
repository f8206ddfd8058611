import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { compareSync } from 'bcryptjs'
import { type AttackOptions, sendWrongPasswords } from '../support/wrong-passwords.js'
import { Connection } from './connection.js'
import type { Contender, Entry } from './contender.js'
import type { Target } from './report.js'

export const PASSWORD_TITLE = 'Create-Session while 50 connections send wrong passwords (bcrypt, cost 10)'

const PASSWORD = 'pässwörd €'
const HASH = '$2y$10$mMG5hPS1499/FkiuCyzrauFmrjwH/8wtfcvBaCxIxrzMet1qjtC1e'
const ROUNDS = 9

/** Milliseconds, each a median. */
export interface PasswordFigures {
  /** One comparison of bcrypt in an idle process. */
  readonly check: number
  /** The first Create-Session of a user, and a later one, while the server is idle. */
  readonly first: number
  readonly later: number
  /** The first one and a later one while wrong passwords arrive from 50 other addresses. */
  readonly othersFirst: number
  readonly othersLater: number
  /** The first one while wrong passwords arrive from the user's own address; the slowest of these, too. */
  readonly own: number
  readonly ownSlowest: number
}

/** Measures how long it takes to authenticate, with and without other clients that send wrong passwords. */
export async function measurePasswords(entry: Entry, scratch: string): Promise<PasswordFigures> {
  const check = median(repeated(3, () => timedSync(() => compareSync(PASSWORD, HASH))))
  const alone = await inServer(entry, join(scratch, 'alone'), undefined)
  const others = await inServer(entry, join(scratch, 'others'), {
    addressOf: (n) => `127.0.1.${n + 1}`,
    userOf: (n) => (n % 2 === 0 ? `nobody-${n}` : 'user-0'),
  })
  const own = await inServer(entry, join(scratch, 'own'), {
    addressOf: () => '127.0.0.1',
    userOf: (n) => `nobody-${n}`,
  })
  return {
    check,
    first: median(alone.first),
    later: median(alone.later),
    othersFirst: median(others.first),
    othersLater: median(others.later),
    own: median(own.first),
    ownSlowest: Math.max(...own.first),
  }
}

export const passwordTargets = (figures: PasswordFigures): Target[] => {
  const { check, first, later, othersFirst, othersLater, own, ownSlowest } = figures
  return [
    atMost(
      `wrong passwords from other addresses, first packet of a user (alone ${ms(first)})`,
      othersFirst,
      2 * first + check,
    ),
    atMost(
      `wrong passwords from other addresses, later packets (alone ${ms(later)})`,
      othersLater,
      2 * later + check,
    ),
    atMost(
      `wrong passwords from the user's own address, first packet (slowest ${ms(ownSlowest)})`,
      own,
      2000,
    ),
  ]
}

const atMost = (what: string, value: number, limit: number): Target => ({
  text: `${what}: at most ${ms(limit)}`,
  measured: ms(value),
  reached: value <= limit,
})

const ms = (value: number): string => `${value.toFixed(value < 10 ? 1 : 0)} ms`

async function inServer(
  entry: Entry,
  directory: string,
  attackers: Pick<AttackOptions, 'addressOf' | 'userOf'> | undefined,
): Promise<{ first: number[]; later: number[] }> {
  const users = Array.from({ length: ROUNDS + 1 }, (_, n) => `user-${n}`)
  await mkdir(directory, { recursive: true })
  await writeFile(join(directory, 'users'), users.map((user) => `${user}:${HASH}\n`).join(''))
  const server = await entry.start(directory)
  const attack = attackers && sendWrongPasswords({ port: server.port, connections: 50, ...attackers })
  try {
    const [warmUp = '', ...measured] = users
    await create(server, warmUp)
    const first: number[] = []
    const later: number[] = []
    for (const user of measured) {
      first.push(await create(server, user))
      later.push(await create(server, user))
    }
    return { first, later }
  } finally {
    attack?.stop()
    await server.stop()
  }
}

/** Milliseconds for a Create-Session on a connection of its own. */
async function create({ port }: Contender, user: string): Promise<number> {
  const connection = await Connection.open(port)
  try {
    const headers = {
      'BITS-Packet-Type': 'Create-Session',
      'BITS-Supported-Protocols': '{7df0354d-249b-430f-820d-3d2a9bef4931}',
      Authorization: `Basic ${Buffer.from(`${user}:${PASSWORD}`).toString('base64')}`,
    }
    const start = performance.now()
    const { status } = await connection.request(`BITS_POST /${user}.bin`, headers, Buffer.alloc(0))
    if (status !== 200) throw new Error(`${user} got ${status}.`)
    return performance.now() - start
  } finally {
    connection.close()
  }
}

function timedSync(work: () => unknown): number {
  const start = performance.now()
  work()
  return performance.now() - start
}

const repeated = (count: number, measure: () => number): number[] => Array.from({ length: count }, measure)

const median = (values: readonly number[]): number =>
  values.toSorted((a, b) => a - b)[values.length >> 1] ?? 0
