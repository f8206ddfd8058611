import { setTimeout as delay } from 'node:timers/promises'
import type { LockOptions, SessionRecord } from 'express-bits-upload'
import { aWhile, type LockRow, type PlainEngine, PlainSessionStore } from './plain-session-store.js'

type Update = Parameters<PlainSessionStore['update']>

/** A store with a single defect, and the clauses that detect it. */
export interface BrokenSessionStore {
  readonly make: (engine?: PlainEngine) => PlainSessionStore
  readonly caughtBy: readonly string[]
}

export const BROKEN_SESSION_STORES: Readonly<Record<string, BrokenSessionStore>> = {
  'loses the first of two changes at once': {
    make: () =>
      new (class extends PlainSessionStore {
        override async update(...[uploadId, change]: Update) {
          const current = this.records.get(uploadId)
          await aWhile()
          const changes = current && change(current)
          if (!current || !changes || !this.records.has(uploadId)) return undefined
          const updated = { ...current, ...changes }
          this.records.set(uploadId, updated)
          return updated
        }
      })(),
    caughtBy: ['update-atomic'],
  },

  'writes a record in two steps': {
    make: () =>
      new (class extends PlainSessionStore {
        #last: Promise<unknown> = Promise.resolve()
        override update(...args: Update) {
          const updated = this.#last.then(async () => {
            const before = this.records.get(args[0])
            const after = await super.update(...args)
            if (!before || !after) return after
            this.records.set(args[0], { ...before, total: after.total })
            await aWhile()
            if (this.records.has(args[0])) this.records.set(args[0], after)
            return after
          })
          this.#last = updated.catch(() => {})
          return updated
        }
      })(),
    caughtBy: ['update-atomic'],
  },

  'brings back a session that is deleted while it changes': {
    make: () =>
      new (class extends PlainSessionStore {
        override async update(...args: Update) {
          const updated = await super.update(...args)
          await aWhile()
          if (updated && !this.records.has(args[0])) this.records.set(args[0], updated)
          return updated
        }
      })(),
    caughtBy: ['update-after-delete'],
  },

  'keeps a field that a change removes': {
    make: () =>
      new (class extends PlainSessionStore {
        override async update(...[uploadId, change]: Update) {
          return super.update(uploadId, (current) => {
            const changes = change(current)
            if (!changes) return undefined
            return JSON.parse(JSON.stringify(changes))
          })
        }
      })(),
    caughtBy: ['update-removes-fields'],
  },

  'changes a session although the change says not to': {
    make: () =>
      new (class extends PlainSessionStore {
        override update(...[uploadId, change]: Update) {
          return super.update(uploadId, (current) => change(current) ?? {})
        }
      })(),
    caughtBy: ['update'],
  },

  'creates a session that is there already': {
    make: () =>
      new (class extends PlainSessionStore {
        override async create(record: SessionRecord) {
          this.records.set(record.uploadId, record)
        }
      })(),
    caughtBy: ['create-once', 'create-within'],
  },

  'looks whether a session is there, and creates it later': {
    make: () =>
      new (class extends PlainSessionStore {
        override async create(record: SessionRecord) {
          const { uploadId } = record
          if (this.records.has(uploadId)) throw new Error(`${uploadId} is there already.`)
          await aWhile()
          this.records.set(uploadId, record)
        }
      })(),
    caughtBy: ['create-once', 'create-within-atomic'],
  },

  'stores some letters as question marks': {
    make: () =>
      new (class extends PlainSessionStore {
        override create(record: SessionRecord) {
          return super.create({ ...record, path: record.path.replace('漢', '?') })
        }
      })(),
    caughtBy: [
      'create',
      'create-once',
      'create-within',
      'delete',
      'ended',
      'update',
      'update-removes-fields',
    ],
  },

  'fails to delete what is not there': {
    make: () =>
      new (class extends PlainSessionStore {
        override async delete(uploadId: string) {
          if (!this.records.delete(uploadId)) throw new Error('There is no such session.')
        }
      })(),
    caughtBy: ['create-within', 'delete'],
  },

  'ignores the time after which sessions expire': {
    make: () =>
      new (class extends PlainSessionStore {
        override expired() {
          return this.list()
        }
      })(),
    caughtBy: ['ended', 'expired'],
  },

  'lists nothing as expired': {
    make: () =>
      new (class extends PlainSessionStore {
        override async *expired(): AsyncIterable<SessionRecord> {}
      })(),
    caughtBy: ['ended', 'expired', 'list-while-changing'],
  },

  'lists open sessions as ended': {
    make: () =>
      new (class extends PlainSessionStore {
        override ended(before: number) {
          return this.expired(before)
        }
      })(),
    caughtBy: ['ended'],
  },

  'leaves out published sessions': {
    make: () =>
      new (class extends PlainSessionStore {
        override async *list({ openOnly = false } = {}) {
          for await (const record of super.list()) {
            if (!openOnly || record.state === 'receiving') yield record
          }
        }
      })(),
    caughtBy: ['list', 'list-while-changing'],
  },

  'lists by position, which deletions move': {
    make: () =>
      new (class extends PlainSessionStore {
        override async *list({ openOnly = false } = {}) {
          for (let at = 0; at < this.records.size; at++) {
            const record = [...this.records.values()][at]
            if (record && !(openOnly && (record.state === 'closed' || record.state === 'cancelled')))
              yield record
          }
        }
      })(),
    caughtBy: ['list-while-changing'],
  },

  'counts ended sessions as open ones': {
    make: () =>
      new (class extends PlainSessionStore {
        override countOf(user: string | undefined) {
          return [...this.records.values()].filter((record) => record.user === user).length
        }
      })(),
    caughtBy: ['create-within'],
  },

  'counts first, and creates later': {
    make: () =>
      new (class extends PlainSessionStore {
        override async createWithin(record: SessionRecord, max: number) {
          const count = this.countOf(record.user)
          await aWhile()
          if (count >= max) return count
          await this.create(record)
          return undefined
        }
      })(),
    caughtBy: ['create-within-atomic'],
  },
}

/** Stores whose `lock` has a single defect. */
export const BROKEN_LOCKS: Readonly<Record<string, BrokenSessionStore>> = {
  'lets two hold a lock': {
    make: (engine) =>
      new (class extends PlainSessionStore {
        override isFree() {
          return true
        }
      })(engine),
    caughtBy: [
      'lock-abort',
      'lock-alive',
      'lock-exclusive',
      'lock-keys',
      'lock-lost',
      'lock-release',
      'lock-timeout',
      'lock-wanted',
    ],
  },

  'waits although the timeout is over': {
    make: (engine) =>
      new (class extends PlainSessionStore {
        override lock(key: string, options: LockOptions) {
          return super.lock(key, { ...options, timeout: options.timeout + 3_000 })
        }
      })(engine),
    caughtBy: ['lock-timeout'],
  },

  'never waits': {
    make: (engine) =>
      new (class extends PlainSessionStore {
        override lock(key: string, options: LockOptions) {
          return super.lock(key, { ...options, timeout: 0 })
        }
      })(engine),
    caughtBy: ['lock-exclusive', 'lock-expiry', 'lock-lost', 'lock-timeout', 'lock-wanted'],
  },

  'ignores its signal': {
    make: (engine) =>
      new (class extends PlainSessionStore {
        override lock(key: string, { timeout, onReleaseRequested }: LockOptions) {
          return super.lock(key, { timeout: Math.min(timeout, 6_000), onReleaseRequested })
        }
      })(engine),
    caughtBy: ['lock-abort'],
  },

  'releases the lock of its successor': {
    make: (engine) =>
      new (class extends PlainSessionStore {
        override free(key: string) {
          this.engine.locks.delete(key)
        }
      })(engine),
    caughtBy: ['lock-lost', 'lock-release'],
  },

  'never asks a holder for its lock': {
    make: (engine) =>
      new (class extends PlainSessionStore {
        override want() {}
      })(engine),
    caughtBy: ['lock-wanted'],
  },

  'keeps the lock of a dead process': {
    make: (engine) =>
      new (class extends PlainSessionStore {
        override isFree(row: LockRow) {
          return row.holder === undefined
        }
      })(engine),
    caughtBy: ['lock-expiry', 'lock-lost'],
  },

  'lets a lock expire while its holder lives': {
    make: (engine) =>
      new (class extends PlainSessionStore {
        override tryLock(...args: Parameters<PlainSessionStore['tryLock']>) {
          const release = super.tryLock(...args)
          const row = this.engine.locks.get(args[0])
          if (release && row) Object.defineProperty(row, 'until', { value: row.until + 3_000, set() {} })
          return release
        }
      })(engine),
    caughtBy: ['lock-alive', 'lock-wanted'],
  },

  'changes a session whose lock was lost': {
    make: (engine) =>
      new (class extends PlainSessionStore {
        override rejectIfLost() {}
      })(engine),
    caughtBy: ['lock-lost'],
  },

  'does not say that a lock was lost': {
    make: (engine) =>
      new (class extends PlainSessionStore {
        override lose(key: string) {
          super.lose(key, () => {})
        }
      })(engine),
    caughtBy: ['lock-lost'],
  },

  'leaves a session behind for each lock': {
    make: (engine) =>
      new (class extends PlainSessionStore {
        override async lock(key: string, options: LockOptions) {
          const release = await super.lock(key, options)
          if (!this.records.has(key)) {
            const record = { uploadId: key, destination: '', path: '', createdAt: 0, lastActivity: 0 }
            this.records.set(key, { ...record, state: 'receiving' })
          }
          await delay(0)
          return release
        }
      })(engine),
    caughtBy: ['lock-keys'],
  },
}
