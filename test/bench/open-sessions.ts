import { randomBytes } from 'node:crypto'
import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import {
  bitsUpload,
  FileSessionStore,
  MemorySessionStore,
  MemoryStorage,
  type SessionRecord,
  type SessionStore,
} from 'express-bits-upload'
import { fromRedis, RedisSessionStore } from 'express-bits-upload/redis'
import { createClient } from 'redis'
import { hasRedis, startRedis } from '../engines/redis.js'
import { aligned, type Target } from './report.js'

export const OPEN_SESSIONS_TITLE = 'Session stores with many open sessions'

/** Concurrent packets. */
const AT_ONCE = 16
const PER_USER = 50
/** Uploads whose packets are timed in each store before there are sessions of other users. */
const UPLOADS = 500
const FRAGMENTS = 3

/** Milliseconds, except in the first column: uploads per second. */
export interface StoreFigures {
  readonly name: string
  /** Uploads per second: the store operations of an upload's packets, without their bytes. */
  readonly uploads: number
  /** `open` of a store with these sessions, and the first request for one of them. */
  readonly start: number
  readonly sweep: number
  readonly listing: number
  /** One `createWithin` of a user with few sessions. */
  readonly create: number
}

interface MeasuredStore {
  readonly name: string
  /** @returns another store with the same sessions at each call. */
  make(): SessionStore
}

/** Measures all stores, each with `count` open sessions. */
export async function measureOpenSessions(count: number, scratch: string): Promise<StoreFigures[]> {
  const directory = join(scratch, 'open-sessions')
  const shared = join(directory, 'shared')
  await mkdir(shared, { recursive: true })
  const figures = [
    await measureStore({ name: 'memory', make: () => new MemorySessionStore() }, count),
    await measureStore(
      { name: 'file', make: () => new FileSessionStore({ directory, shared: false }) },
      count,
    ),
    await measureStore(
      { name: 'shared', make: () => new FileSessionStore({ directory: shared, shared: true }) },
      count,
    ),
  ]
  return hasRedis() ? [...figures, await measureRedis(count)] : figures
}

async function measureRedis(count: number): Promise<StoreFigures> {
  const engine = await startRedis('node')
  try {
    const client = await createClient({ url: `redis://127.0.0.1:${engine.nodes[0]?.port}` }).connect()
    // The default of Redis. The other stores do not flush each change to the disk either.
    await client.configSet('appendfsync', 'everysec')
    try {
      const make = () => new RedisSessionStore({ redis: fromRedis(client) })
      return await measureStore({ name: 'redis', make }, count)
    } finally {
      client.destroy()
    }
  } finally {
    await engine.stop()
  }
}

async function measureStore({ name, make }: MeasuredStore, count: number): Promise<StoreFigures> {
  const store = make()
  await store.open?.()
  const uploads = UPLOADS / ((await timed(() => atOnce(UPLOADS, (n) => upload(store, n)))) / 1000)
  const first = newRecord(0, 'other')
  await atOnce(count, async (n) => {
    const isCreated = await create(store, n === 0 ? first : newRecord(n, 'other'))
    if (!isCreated) throw new Error('A user has too many sessions.')
  })
  const creates = 100
  const create100 = await timed(() => atOnce(creates, (n) => create(store, newRecord(n, 'one'))))
  const bits = bitsUpload({ sessionStore: store, storage: new MemoryStorage(), logger: SILENT })
  const sweep = await timed(() => bits.sweep())
  const listing = await timed(async () => {
    const { length } = await bits.sessions()
    if (length < count) throw new Error(`${length} of ${count} sessions were listed.`)
  })
  await bits.close()
  const again = name === 'memory' ? store : make()
  const start = await timed(async () => {
    await again.open?.()
    if (!(await again.get(first.uploadId))) throw new Error('A session is missing.')
  })
  await again.close?.()
  return { name, uploads, start, sweep, listing, create: create100 / creates }
}

const SILENT = { info: () => {}, warn: () => {}, error: () => {} }

/** The store operations of an upload's packets. */
async function upload(store: SessionStore, n: number): Promise<void> {
  const record = newRecord(n, 'uploader')
  const { uploadId } = record
  await create(store, record)
  for (let fragment = 1; fragment <= FRAGMENTS; fragment++) {
    const unlock = await store.lock?.(uploadId, { timeout: 10_000, onReleaseRequested: () => {} })
    await store.get(uploadId)
    await store.update(uploadId, () => ({ received: fragment, lastActivity: Date.now() }))
    await unlock?.()
  }
  await store.delete(uploadId)
}

/** @returns whether the user was below the limit. */
async function create(store: SessionStore, record: SessionRecord): Promise<boolean> {
  return (await store.createWithin?.(record, 2 * PER_USER)) === undefined
}

function newRecord(n: number, group: string): SessionRecord {
  const user = `${group}-${Math.floor(n / PER_USER)}`
  const destination = `${user}/${n}.bin`
  const now = Date.now()
  return {
    ...{ uploadId: randomBytes(16).toString('hex'), destination, path: `/${destination}`, user },
    ...{ origin: 'http://bench', state: 'receiving', received: 0, createdAt: now, lastActivity: now },
  }
}

async function atOnce(count: number, work: (n: number) => Promise<unknown>): Promise<void> {
  const numbers = Array.from({ length: count }, (_, n) => n).values()
  await Promise.all(
    Array.from({ length: AT_ONCE }, async () => {
      for (const n of numbers) await work(n)
    }),
  )
}

async function timed(work: () => Promise<unknown>): Promise<number> {
  const started = performance.now()
  await work()
  return performance.now() - started
}

export function openSessionsTable(figures: readonly StoreFigures[]): string {
  const head = ['', 'uploads/s', 'start ms', 'sweep ms', 'listing ms', 'Create ms']
  const rows = figures.map(({ name, uploads, start, sweep, listing, create }) => [
    name,
    ...[uploads, start, sweep, listing].map((figure) => figure.toFixed(0)),
    create.toFixed(2),
  ])
  return `${OPEN_SESSIONS_TITLE}\n${aligned([head, ...rows])}\n`
}

export function openSessionsTargets(figures: readonly StoreFigures[]): Target[] {
  const uploadsOf = (wanted: string) => figures.find(({ name }) => name === wanted)?.uploads
  const [redis, shared] = [uploadsOf('redis'), uploadsOf('shared')]
  if (redis === undefined || shared === undefined) return []
  const ratio = redis / shared
  return [
    {
      text: 'sessions in Redis: at least twice as fast as in shared files',
      measured: ratio.toFixed(2),
      reached: ratio >= 2,
    },
  ]
}
