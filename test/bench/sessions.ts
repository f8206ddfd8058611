import { type Entry, nodeEntry, type Programs } from './contender.js'
import type { Figures } from './measure.js'
import type { Target } from './report.js'
import type { Scenario } from './scenario.js'
import { createSession } from './send-file.js'

/** Sessions that each user opens, below `maxSessionsPerUser`. */
const PER_USER = 25

/** `count` Create-Session packets only, by users with few sessions, over `connections` connections. */
export function creates(title: string, count: number, connections: number): Scenario {
  let started = 0
  return {
    title,
    connections,
    amount: count,
    unit: 'requests',
    per: { amount: 1000, name: '1,000 requests' },
    async run(_contender, open) {
      let left = count
      await Promise.all(
        open.map(async (connection) => {
          while (left-- > 0) {
            const n = started++
            await createSession(connection, `user-${Math.floor(n / PER_USER)}/${n}.bin`)
          }
        }),
      )
    },
    async check() {},
  }
}

/** All stores of the package, without and with `others` open sessions of other users. */
export const storesWithSessions = (programs: Programs, others: number): Entry[] =>
  ['memory', 'file', 'shared'].flatMap((kind) =>
    [0, others].map((number) =>
      nodeEntry(
        `${kind}, ${number.toLocaleString('en')} others`,
        programs,
        'sessions',
        async (connection, name) => {
          await createSession(connection, name)
        },
        (directory) => [directory, kind, String(number)],
      ),
    ),
  )

/** The unit is a thousand requests, so that seconds are milliseconds per request. */
export const sessionTargets = (figures: readonly Figures[]): Target[] =>
  figures.map(({ name, leastCpu }) => ({
    text: `Create-Session, ${name}: under 1 ms of CPU`,
    measured: `${leastCpu.toFixed(2)} ms`,
    reached: leastCpu < 1,
  }))
