import { randomBytes } from 'node:crypto'
import express from 'express'
import {
  bitsUpload,
  FileSessionStore,
  FileStorage,
  MemorySessionStore,
  type SessionRecord,
  type SessionStore,
} from 'express-bits-upload'
import { listen } from './listen.js'

/**
 * A server with sessions of other users, which adds one for each Create-Session: `sessions.js <directory> <store>
 * <number>`. The first segment of the path names the user.
 */
const [, , directory = '', kind = '', others = '0'] = process.argv
const MAX_PER_USER = 50
const AT_ONCE = 16

const stores: Readonly<Record<string, () => SessionStore>> = {
  memory: () => new MemorySessionStore(),
  file: () => new FileSessionStore({ directory, shared: false }),
  shared: () => new FileSessionStore({ directory, shared: true }),
}
const sessionStore = stores[kind]?.()
if (!sessionStore) throw new TypeError(`The store is "${kind}": use ${Object.keys(stores).join(', ')}.`)

const storage = new FileStorage({ directory })
const bits = bitsUpload({
  storage,
  sessionStore,
  maxSessionsPerUser: MAX_PER_USER,
  user: (req) => req.path.split('/')[1],
  logger: { info: () => {}, warn: () => {}, error: () => {} },
})
// Keeps sweeps out of the measurement. With a shared store, the first one runs at a random time within a minute, unless
// another process holds this lock.
await bits.sweep()
await sessionStore.lock?.('sweep', { timeout: 0, onReleaseRequested: () => {} })
const numbers = Array.from({ length: Number(others) }, (_, n) => n).values()
await Promise.all(Array.from({ length: AT_ONCE }, () => openSessions(numbers, sessionStore)))
listen(express().use(bits))

/** Sessions in the state after Create-Session: a record, and empty staged data. */
async function openSessions(left: Iterable<number>, store: SessionStore): Promise<void> {
  for (const n of left) {
    const uploadId = randomBytes(16).toString('hex')
    const user = `other-${Math.floor(n / MAX_PER_USER)}`
    const destination = `${user}/${n}.bin`
    const now = Date.now()
    const record: SessionRecord = {
      ...{ uploadId, destination, path: `/${destination}`, user, origin: 'http://bench' },
      ...{ state: 'receiving', createdAt: now, lastActivity: now },
    }
    const count = await store.createWithin?.(record, MAX_PER_USER)
    if (count !== undefined) throw new Error(`${user} has ${count} sessions already.`)
    await storage.begin({ uploadId, destination })
  }
}
