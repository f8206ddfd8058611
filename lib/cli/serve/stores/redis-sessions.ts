import type { SessionStore } from 'express-bits-upload'
import { asError, errorCode } from '../../../util/errors.js'
import { namingFlag } from '../../option-flags.js'
import { CliError, EXIT } from '../../output.js'
import { printError } from '../../say.js'
import type { ServeFlags } from '../flags.js'
import { loadPeer } from './load-peer.js'
import { redisUrl, shownRedisUrl } from './redis-url.js'

const REDIS_FLAGS = { prefix: '--redis-prefix' }

/** Milliseconds. */
const MAX_RECONNECT_DELAY = 2000

/** Sessions in Redis. */
export interface RedisSessions {
  readonly sessionStore: SessionStore
  /** Runs `work` while no server runs anything else for `key`. */
  readonly exclusive: <T>(key: string, work: () => Promise<T>) => Promise<T>
  /** Connects. @throws CliError when Redis cannot be used. */
  open(): Promise<void>
  close(): void
}

/** @throws CliError when a flag is wrong, or the package `redis` is missing. */
export async function redisSessions(
  url: string,
  { redisPrefix }: Pick<ServeFlags, 'redisPrefix'>,
): Promise<RedisSessions> {
  const checkedUrl = redisUrl(url)
  const { createClient } = await loadPeer(
    { name: 'redis', range: '6', flag: '--redis' },
    () => import('redis'),
  )
  const { fromRedis, redisLock, RedisSessionStore } = await import('express-bits-upload/redis')
  let hasConnected = false
  const client = createClient({
    url: checkedUrl,
    // A packet is answered 503 at once when Redis is away; its client tries again.
    disableOfflineQueue: true,
    socket: {
      reconnectStrategy: (retries, cause) =>
        hasConnected ? Math.min(50 * 2 ** retries, MAX_RECONNECT_DELAY) * (0.5 + Math.random() / 2) : cause,
    },
  })
  reportOutages(client)
  try {
    const sessionStore = new RedisSessionStore({ redis: fromRedis(client), prefix: redisPrefix })
    return {
      sessionStore,
      exclusive: redisLock(sessionStore),
      async open() {
        try {
          await client.connect()
          hasConnected = true
          await sessionStore.open()
        } catch (cause) {
          throw new CliError(
            EXIT.failure,
            `cannot keep sessions in ${shownRedisUrl(url)}: ${reasonOf(cause)}.`,
            { cause },
          )
        }
      },
      close() {
        if (client.isOpen) client.destroy()
      },
    }
  } catch (error) {
    throw namingFlag(error, REDIS_FLAGS)
  }
}

interface ClientEvents {
  on(event: 'error', listener: (error: unknown) => void): unknown
  on(event: 'ready', listener: () => void): unknown
}

/** One line when Redis goes away, however often the client tries to connect, and one when it is back. */
function reportOutages(client: ClientEvents): void {
  let isConnected = false
  let problem: string | undefined
  client.on('error', (error) => {
    const reason = reasonOf(error)
    // What is wrong at the start ends it, and is in its message.
    if (isConnected && reason !== problem) printError(`warning: Redis: ${reason}`)
    problem = reason
  })
  client.on('ready', () => {
    if (isConnected && problem !== undefined) printError('Redis is available again.')
    isConnected = true
    problem = undefined
  })
}

/** The error of a host with several addresses has no message of its own. */
const reasonOf = (error: unknown): string =>
  asError(error).message.replace(/\.$/, '') || (errorCode(error) ?? 'it cannot be reached')
