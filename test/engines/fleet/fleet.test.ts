import { setTimeout as delay } from 'node:timers/promises'
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals'
import { isInstalled } from '../../proxies/proxy.js'
import { describeWithEngine } from '../../support/engines.js'
import { tell, times, until } from '../../support/soak.js'
import { hasRedis } from '../redis.js'
import { hasSwift } from '../swift.js'
import type { Program } from './build-servers.js'
import { Fleet } from './fleet.js'
import { digestOf, FleetLoad } from './fleet-load.js'

const MIB = 1024 * 1024
const CLIENTS = 8
const UPLOADS = times(16, 100)
const MAX_SIZE = times(8, 40) * MIB
/** Minimum number of times that a server is killed or suspended. */
const DISTURBANCES = times(3, 10)
/** Milliseconds; longer if a server takes more than a third of this time to start. */
const KILL_INTERVAL = 4000
/** Milliseconds. The lease of the locks is 2 s. */
const SLEEP = 5000
const SLEEP_INTERVAL = 3000
const TIMEOUT = 60 * 60 * 1000

const hasAll = (): boolean => hasSwift() && hasRedis() && isInstalled('nginx')

describeWithEngine('a fleet on Swift, Redis and nginx', hasAll, () => {
  describe('whose servers and whose Redis are killed', () => {
    const fleet = useFleet('serve')

    test(
      'loses nothing, and publishes each file once',
      async () => {
        const { servers, redis, port } = fleet()
        let kills = 0
        let hasRedisDied = false
        const load = new FleetLoad({
          ...{ port, clients: CLIENTS, count: UPLOADS, maxSize: MAX_SIZE, firstWait: 60_000 },
          isEnough: () => kills >= DISTURBANCES && hasRedisDied,
        })
        try {
          while (!load.isDone) {
            const server = servers[kills % servers.length]
            const pause = Math.max(KILL_INTERVAL, 3 * (server?.startUpTime ?? 0))
            await Promise.race([delay(pause, undefined, { ref: false }), load.done])
            if (load.isDone) break
            if (!hasRedisDied && kills >= DISTURBANCES / 2) {
              await redis.nodes[0]?.end('SIGKILL')
              await delay(1000)
              await redis.nodes[0]?.start()
              hasRedisDied = true
            }
            await server?.kill()
            kills++
          }
          await load.done
        } finally {
          load.stop()
        }
        tell(
          `${kills} kills, ${load.digests.size} files, ${load.bytes} bytes, ${load.retries} packets sent again`,
        )
        await expectIntact(fleet(), load)
      },
      TIMEOUT,
    )
  })

  describe('whose servers are suspended for longer than their locks last', () => {
    const fleet = useFleet('app')

    test(
      'loses nothing, and publishes each file once',
      async () => {
        const { servers, port } = fleet()
        let sleeps = 0
        const load = new FleetLoad({
          ...{ port, clients: CLIENTS, count: UPLOADS, maxSize: MAX_SIZE, firstWait: 4000 },
          isEnough: () => sleeps >= DISTURBANCES,
        })
        try {
          while (!load.isDone) {
            await Promise.race([delay(SLEEP_INTERVAL, undefined, { ref: false }), load.done])
            if (load.isDone) break
            const server = servers[sleeps % servers.length]
            server?.suspend()
            await delay(SLEEP)
            server?.resume()
            sleeps++
          }
          await load.done
        } finally {
          for (const server of servers) server.resume()
          load.stop()
        }
        tell(
          `${sleeps} sleeps, ${load.digests.size} files, ${load.bytes} bytes, ${load.retries} packets sent again`,
        )
        await expectIntact(fleet(), load)
      },
      TIMEOUT,
    )
  })
})

function useFleet(program: Program): () => Fleet {
  let fleet: Fleet | undefined
  beforeAll(async () => {
    fleet = await Fleet.start(program)
  }, 300_000)
  afterAll(async () => fleet?.stop(), 60_000)
  return () => {
    if (!fleet) throw new Error('The fleet has not started.')
    return fleet
  }
}

/** Checks that all files are there, identical and published once, and that nothing is left of their uploads. */
async function expectIntact(fleet: Fleet, { digests }: FleetLoad): Promise<void> {
  for (const [name, digest] of digests) {
    const content = (await fleet.content(name)) ?? Buffer.from('missing')
    expect([name, digestOf(content)]).toEqual([name, digest])
  }
  expect(await fleet.publications()).toEqual(new Map([...digests.keys()].map((name) => [name, 1])))
  // If a server was killed just after a publication, the next sweep removes what is left.
  await until(async () => (await fleet.staged()).length === 0, 120_000)
}
